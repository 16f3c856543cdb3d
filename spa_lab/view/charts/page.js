// Draws charts in a page: shared by the live widgets (joined to host.js) and by saved pages.
// plotly.js (4.8 MB) is loaded once per page, regardless of the number of charts and widgets.

const CHARTS = (globalThis.spaLabCharts ??= { library: null, resolve: null });
const LEGEND_GAP = 12; // pixels around a legend
const TICK = 34; // least pixels from one label of an axis of steps to the next
const STRIDES = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];
const FAINT = /^rgba\((\d+),(\d+),(\d+),([\d.]+)\)$/;
const WORDS = new Set(["customdata", "text", "ticktext"]); // keys of a chart whose texts may be an agent's
const SELECTED_STEP = "selected step";
const CONFIG = {
  displaylogo: false,
  showSendToCloud: false, // nothing leaves the page
  modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"],
  toImageButtonOptions: { format: "svg", filename: "spa-lab" },
};

/** Promise of the page's only plotly: the page's own if it has one, else the one that `providePlotly` loads. */
function plotly() {
  if (globalThis.Plotly?.react) return Promise.resolve(globalThis.Plotly);
  CHARTS.library ??= new Promise((resolve) => { CHARTS.resolve = resolve; });
  return CHARTS.library;
}

/** Loads plotly from its gzipped source, a DataView or Uint8Array; later calls have no effect. */
async function providePlotly(bytes) {
  if (globalThis.Plotly?.react || CHARTS.loading) return;
  CHARTS.loading = true;
  plotly();
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const address = URL.createObjectURL(new Blob([await new Response(stream).arrayBuffer()], { type: "text/javascript" }));
  const script = document.createElement("script");
  script.src = address;
  script.onload = () => { URL.revokeObjectURL(address); CHARTS.resolve(globalThis.Plotly); };
  script.onerror = () => { CHARTS.loading = false; };
  document.head.append(script);
}

function isDark(element) {
  return Boolean(element.closest('[data-jp-theme-light="false"], .vscode-dark, .spa-lab.dark'));
}

/** The counterpart of a colour, and of a band's "rgba(r,g,b,opacity)"; any other text as it is. */
function recolouredText(text, dark) {
  if (Object.hasOwn(dark, text)) return dark[text]; // not "constructor"
  const [, red, green, blue, opacity] = FAINT.exec(text) ?? [];
  const solid = `#${[red, green, blue].map(twoDigits).join("")}`;
  return Object.hasOwn(dark, solid) ? `${dark[solid]}${twoDigits(Math.round(255 * opacity))}` : text;
}

function twoDigits(number) {
  return Number(number).toString(16).padStart(2, "0");
}

/** The same value with every colour replaced by its counterpart on a dark background; words stay as they are. */
function recoloured(value, dark) {
  if (typeof value === "string") return recolouredText(value, dark);
  if (Array.isArray(value)) {
    const isNumeric = value.every((item) => typeof item === "number"); // a stop of a colour scale is not
    return isNumeric ? value : value.map((item) => recoloured(item, dark));
  }
  if (value === null || typeof value !== "object") return value;
  const entries = Object.entries(value).map(([key, item]) => [key, WORDS.has(key) ? item : recoloured(item, dark)]);
  return Object.fromEntries(entries);
}

function movedShapes(layout, step) {
  const { n_steps: last, edges } = layout.meta ?? {};
  if (!last) return null;
  const shown = step >= 0;
  const at = Math.min(Math.max(step, 0), last - 1);
  return (layout.shapes ?? []).map((shape) => shape.name !== SELECTED_STEP ? shape
    : { ...shape, visible: shown, x0: edges[shape.xref] + at, x1: edges[shape.xref] + at + 1 });
}

/** Changes of the layout after which the labels of every axis of steps do not touch at its present width. */
function tickChanges(layout, full) {
  const { n_steps: n } = layout.meta ?? {};
  const axes = n ? Object.keys(layout).filter((key) => key.startsWith("xaxis") && layout[key].tickformat === "d") : [];
  return Object.fromEntries(axes.map((key) => {
    const fits = (stride) => stride >= layout[key].dtick && (n / stride) * TICK <= full[key]._length;
    return [`${key}.dtick`, STRIDES.find(fits) ?? n];
  }).filter(([name, stride]) => full[name.split(".")[0]].dtick !== stride));
}

/** A chart in `box`: `draw(json)`, `select(step)`, `remove()`; `onStep(step)` is called for clicked steps. */
function chartIn(box, { dark, step, onStep }) {
  let spec = null;
  let selected = step;
  let drawn = Promise.resolve();
  let waiting = false; // until the plot is attached to the page
  let frame = null;
  let marked = null; // the step that the drawn chart marks; null until it is drawn
  const plot = document.createElement("div");
  plot.className = "plot";
  const resizing = new ResizeObserver(() => {
    if (waiting && plot.isConnected) {
      waiting = false;
      drawn = redraw();
    } else if (plot.classList.contains("js-plotly-plot") && plot.clientWidth && plot.clientWidth !== plot._fullLayout?.width) {
      globalThis.Plotly.Plots.resize(plot).then(() => { if (spec) fit(); });
    }
  });
  resizing.observe(plot);
  let darkNow = null;
  const theme = new MutationObserver(() => { if (spec && darkNow !== null && darkNow !== isDark(plot)) redraw(); });
  theme.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light", "class"] });

  /** The height that leaves the panels theirs below a legend of many rows, else the chart's own. */
  function roomy() {
    const { height, margin } = spec.layout;
    const legend = Math.ceil(plot._fullLayout.legend?._height ?? 0);
    const panels = height - margin.t - margin.b;
    return height - margin.b - legend < panels / 2 ? panels + margin.b + legend + LEGEND_GAP : height;
  }
  async function fit() {
    const changes = tickChanges(spec.layout, plot._fullLayout);
    const height = roomy();
    if (plot._fullLayout.height !== height) {
      plot.style.height = `${height}px`;
      Object.assign(changes, { height, "legend.maxheight": height }); // the legend needs no bar to scroll
    }
    if (Object.keys(changes).length) await globalThis.Plotly.relayout(plot, changes);
    delete plot.layout.width; // a height that is set fixes the width too, and `resize` does nothing then
    plot.layout.autosize = true;
  }
  async function redraw() {
    const Plotly = await plotly();
    const current = spec;
    waiting = Boolean(current) && !plot.isConnected; // a widget is filled before it is attached to the page
    if (!current || waiting) return;
    darkNow = isDark(plot);
    const themed = darkNow ? recoloured(current, dark) : structuredClone(current);
    const step = selected;
    const shapes = movedShapes(themed.layout, step);
    if (shapes) themed.layout.shapes = shapes;
    const first = !plot.classList.contains("js-plotly-plot");
    await Plotly.react(plot, themed.data, themed.layout, CONFIG);
    await fit();
    if (first && onStep) {
      plot.on("plotly_click", ({ points }) => {
        const { meta } = spec.layout;
        const { x, xaxis } = points[0] ?? {};
        if (!meta?.n_steps || typeof x !== "number") return;
        onStep(Math.min(Math.floor(x - meta.edges[xaxis._id]), meta.n_steps - 1));
      });
    }
    marked = step;
    mark(); // another step may have been selected meanwhile
    box.dataset.drawn = String(Number(box.dataset.drawn ?? 0) + 1);
  }
  /** Moves the mark of the selected step; redraws nothing else. */
  function mark() {
    if (marked === null || marked === selected || !spec) return;
    const shapes = movedShapes(plot.layout, selected);
    marked = selected;
    if (shapes) globalThis.Plotly.relayout(plot, { shapes });
  }
  /** The step under the pointer of a chart that is a scrubber; null outside of its panel. */
  function under(event) {
    const { xaxis, yaxis } = plot._fullLayout ?? {};
    const { meta } = spec?.layout ?? {};
    if (!meta?.scrub || !xaxis) return null;
    const box = plot.getBoundingClientRect();
    const [across, down] = [event.clientX - box.left - xaxis._offset, event.clientY - box.top - yaxis._offset];
    if (down < 0 || down > yaxis._length || across < 0 || across > xaxis._length) return null;
    return Math.max(0, Math.min(Math.floor(xaxis.p2d(across) - meta.edges.x), meta.n_steps - 1));
  }
  const scrub = (event) => {
    const step = under(event);
    if (step !== null && step !== selected) onStep(step);
  };
  const release = () => {
    removeEventListener("pointermove", scrub, true);
    removeEventListener("pointerup", release, true);
  };
  if (onStep) {
    plot.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || under(event) === null) return;
      scrub(event);
      addEventListener("pointermove", scrub, true); // of the window: while a button is held, plotly covers the page
      addEventListener("pointerup", release, true);
    });
  }
  return {
    draw(json) {
      const next = json ? JSON.parse(json) : null;
      if (!next) {
        spec = marked = null;
        if (globalThis.Plotly && plot.classList.contains("js-plotly-plot")) globalThis.Plotly.purge(plot);
        box.replaceChildren();
        return drawn;
      }
      spec = next;
      plot.setAttribute("role", "figure"); // not "img", which would hide the chart's buttons
      plot.setAttribute("aria-label", next.description);
      plot.style.height = `${next.layout.height}px`;
      if (plot.parentNode !== box) box.replaceChildren(plot);
      drawn = redraw();
      return drawn;
    },
    select(next) {
      selected = next;
      frame ??= requestAnimationFrame(() => { frame = null; mark(); }); // after the message to the kernel is sent
    },
    remove() {
      release();
      resizing.disconnect();
      theme.disconnect();
      if (globalThis.Plotly && plot.classList.contains("js-plotly-plot")) globalThis.Plotly.purge(plot);
    },
  };
}
