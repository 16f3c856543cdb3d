// The page's part of every widget: shows the panes, marks the selected step, reports user actions.
// It computes no numbers, so that a page shows what Python drew. Runs after page.js, in one module.

const MOVES = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 };
const PATIENCE = 5000; // ms that a page waits for plotly before it asks the kernel for it
const UNWANTED = /^(script|iframe|object|embed|link|meta|base|form)$/i;

/** Parsed HTML without anything that could run, as a second line of defence after Python's escaping. */
function harmless(html) {
  const parsed = document.createElement("template");
  parsed.innerHTML = html;
  for (const element of parsed.content.querySelectorAll("*")) {
    if (UNWANTED.test(element.localName)) element.remove();
    for (const { name } of [...element.attributes]) {
      if (/^on/i.test(name) || name === "srcdoc") element.removeAttribute(name);
    }
  }
  return parsed.content;
}

/** Marks the words where they occur in the text of an element; nothing but text nodes is touched. */
function highlight(element, words) {
  for (const old of element.querySelectorAll("mark.hit")) old.replaceWith(...old.childNodes);
  element.normalize();
  if (!words.length) return;
  const longest = [...words].sort((a, b) => b.length - a.length);
  const pattern = new RegExp(`(${longest.map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|")})`, "i");
  for (const block of element.querySelectorAll(".prose, .sentence, h3")) {
    const walker = document.createTreeWalker(block, NodeFilter.SHOW_TEXT);
    const texts = [];
    while (walker.nextNode()) texts.push(walker.currentNode);
    for (const node of texts) {
      const parts = node.data.split(pattern);
      if (parts.length < 2) continue;
      node.replaceWith(...parts.map((part, place) => {
        if (place % 2 === 0) return document.createTextNode(part);
        const hit = document.createElement("mark");
        hit.className = "hit";
        hit.textContent = part;
        return hit;
      }));
    }
  }
}

function render({ model, el }) {
  const root = document.createElement("div");
  root.className = "spa-lab live";
  root.dataset.view = model.get("name");
  el.classList.add("spa-lab-host");
  root.setAttribute("role", "region");
  root.setAttribute("aria-label", model.get("name"));
  root.setAttribute("data-lm-suppress-shortcuts", "true"); // or Lab takes the arrow keys
  const hide = document.createElement("style"); // the static copy, while this live view exists
  const hideCopy = () => {
    hide.textContent = `.spa-lab-static[data-for="${CSS.escape(model.get("uid"))}"] { display: none; }`;
  };
  hideCopy();
  el.append(hide, root);
  const listening = [];
  const listen = (event, answer) => {
    model.on(event, answer);
    listening.push([event, answer]);
  };

  listen("change:uid", hideCopy);

  const banner = document.createElement("div"); // outside of the cell, so that it stays in view
  banner.className = "spa-lab-banner";
  banner.setAttribute("role", "status");
  const announce = () => {
    banner.textContent = model.get("banner");
    if (banner.textContent) document.body.append(banner);
    else banner.remove();
  };
  announce();
  listen("change:banner", announce);

  const waiting = {};
  let busy = 0;
  let timer = null;

  /** At most one message is in flight; later values wait for the next message, the last of each control. */
  function report(name, value) {
    waiting[name] = value;
    if (Date.now() - busy > 2000 && timer === null) {
      timer = requestAnimationFrame(flush);
    }
  }
  function flush() {
    timer = null;
    const moves = { ...waiting };
    if (!Object.keys(moves).length) return;
    for (const name of Object.keys(waiting)) delete waiting[name];
    busy = Date.now();
    model.send({ moves });
  }
  function answered(message) {
    if (message && message.answered) {
      busy = 0;
      flush();
    }
  }

  function choose(step) {
    const last = model.get("n_steps") - 1;
    if (last < 0) return;
    model.set("selected_step", Math.max(0, Math.min(step, last)));
    model.save_changes();
  }
  const charts = [];
  function mark(scroll) {
    const step = model.get("selected_step");
    for (const chart of charts) chart.select(step);
    for (const old of root.querySelectorAll("[data-step].selected")) {
      old.classList.remove("selected");
      if (old.localName === "tr") {
        old.setAttribute("aria-selected", "false");
        old.tabIndex = -1;
      }
    }
    for (const element of root.querySelectorAll(`[data-step="${step}"]`)) {
      element.classList.add("selected");
      if (element.localName !== "tr") continue;
      element.setAttribute("aria-selected", "true");
      element.tabIndex = 0;
      if (scroll) show(element);
    }
  }
  /** Scrolls the box around a row, never the page. */
  function show(row) {
    const box = row.closest(".scroll");
    if (!box) return;
    const head = box.querySelector("thead");
    const covered = head ? head.getBoundingClientRect().height : 0;
    const [outer, inner] = [box.getBoundingClientRect(), row.getBoundingClientRect()];
    if (inner.top < outer.top + covered) box.scrollTop -= outer.top + covered - inner.top;
    else if (inner.bottom > outer.bottom) box.scrollTop += Math.min(inner.bottom - outer.bottom, inner.top - outer.top - covered);
  }

  function toSteps() {
    root.querySelector("tr[data-step].selected")?.focus();
  }
  /** Closes an open menu; if none is open, clears search and filters. */
  function escape() {
    const menu = root.querySelector("details.menu[open]");
    const search = root.querySelector("input[type=search]");
    if (menu) {
      menu.open = false;
      menu.querySelector("summary").focus();
    } else if (search) {
      search.value = "";
      report("reset", "");
    }
  }

  /** Redraws a pane, keeping focus, scroll position and open details; false while one of its inputs has focus. */
  function fill(name, pane) {
    const focus = pane.contains(document.activeElement) ? document.activeElement : null;
    if (focus && focus.matches("input:not([type=checkbox]), select")) return false;
    const key = focus && (focus.name ? `[name="${CSS.escape(focus.name)}"]` : null);
    const value = focus && focus.value ? `[value="${CSS.escape(focus.value)}"]` : "";
    const row = focus && focus.closest("tr[data-step], tr[data-trajectory]");
    const open = [...pane.querySelectorAll("details[data-keep][open]")].map((item) => item.dataset.keep);
    const scrolled = [...pane.querySelectorAll(".scroll[data-keep]")].map((box) => box.scrollTop);
    pane.replaceChildren(harmless(model.get(name)));
    for (const box of pane.querySelectorAll("input[name=look]")) box.checked = root.classList.contains(box.value);
    highlight(pane, model.get("query_words") || []);
    for (const item of pane.querySelectorAll("details[data-keep]")) item.open = open.includes(item.dataset.keep);
    [...pane.querySelectorAll(".scroll[data-keep]")].forEach((box, i) => { box.scrollTop = scrolled[i] || 0; });
    mark(name === "steps");
    const listed = pane.querySelector("tr[data-trajectory][aria-selected=true]");
    if (listed) show(listed);
    const again = key ? pane.querySelector(key + value) || pane.querySelector(key)
      : row ? pane.querySelector("tr.selected, tr[aria-selected=true]") : null;
    if (again) again.focus({ preventScroll: true });
    return true;
  }

  if (model.get("panes").includes("steps")) { // many controls stand before them
    const skip = document.createElement("button");
    skip.type = "button";
    skip.className = "skip";
    skip.textContent = "Skip to the steps";
    skip.addEventListener("click", toSteps);
    root.append(skip);
  }
  for (const name of model.get("panes")) {
    const pane = document.createElement("div");
    pane.dataset.pane = name;
    if (name === "status") pane.setAttribute("aria-live", "polite");
    root.append(pane);
    if (model.get("chart_panes").includes(name)) {
      const chart = chartIn(pane, { dark: DARK, step: model.get("selected_step"), onStep: choose });
      charts.push(chart);
      chart.draw(model.get(name));
      listen(`change:${name}`, () => chart.draw(model.get(name)));
      continue;
    }
    let stale = !fill(name, pane);
    listen(`change:${name}`, () => { stale = !fill(name, pane); });
    pane.addEventListener("focusout", () => setTimeout(() => {
      if (stale && !pane.contains(document.activeElement)) stale = !fill(name, pane);
    }, 0));
  }
  const listed = root.querySelector("tr[data-trajectory][aria-selected=true]");
  if (listed) show(listed); // the panes after the list have changed its height
  listen("change:selected_step", () => mark(true));
  listen("change:query_words", () => highlight(root, model.get("query_words") || []));
  listen("msg:custom", answered);
  mark(true);
  const asking = charts.length ? setTimeout(() => {
    if (!globalThis.Plotly && !CHARTS.loading) model.send({ plotly: true });
  }, PATIENCE) : null;

  // Panes are filled by updates that follow the model's creation; a busy page was seen to miss them.
  const isEmpty = () => model.get("panes").every((name) => !model.get(name));
  const asksState = setTimeout(() => { if (isEmpty()) model.send({ state: true }); }, 2000);

  root.addEventListener("click", (event) => {
    const target = event.target;
    for (const menu of root.querySelectorAll("details.menu[open]")) {
      if (!menu.contains(target)) menu.open = false;
    }
    if (target.closest("summary, a, input, select, label")) return;
    const pressed = target.closest("button[name]");
    if (pressed) return report(pressed.name, pressed.value);
    const trajectory = target.closest("[data-trajectory]");
    if (trajectory) return report("trajectory", trajectory.dataset.trajectory);
    const step = target.closest("[data-step]");
    if (step && !String(getSelection())) {
      choose(Number(step.dataset.step));
      if (step.localName === "tr") step.focus({ preventScroll: true });
      else root.querySelector("tr.selected")?.focus({ preventScroll: true });
    }
  });
  root.addEventListener("input", (event) => {
    const { name, type, value } = event.target;
    if (!name) return;
    if (name === "look") { // only the page knows how it looks
      root.classList.toggle(value, event.target.checked);
      return mark(true);
    }
    if (type === "checkbox") {
      const all = [...root.querySelectorAll(`input[type=checkbox][name="${CSS.escape(name)}"]`)];
      return report(name, JSON.stringify(all.filter((box) => box.checked).map((box) => box.value)));
    }
    const shown = root.querySelector(`output[data-of="${CSS.escape(name)}"]`);
    if (shown) shown.textContent = value;
    report(name, value);
  });
  root.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = event.target.matches("input:not([type=checkbox]), select, textarea");
    const listed = event.target.closest("tr[data-trajectory]");
    if (typing) {
      if (event.key === "Enter" && event.target.dataset.enter) report(event.target.dataset.enter, "");
      else if (event.key === "Enter" && event.target.type === "search") toSteps();
      else if (event.key === "Escape" && event.target.matches("[type=search], .menu input")) escape();
      return;
    }
    if (listed && ["ArrowUp", "ArrowDown", "Enter", " "].includes(event.key)) {
      const way = { ArrowUp: "previousElementSibling", ArrowDown: "nextElementSibling" }[event.key];
      const row = way ? listed[way] : listed;
      if (row) { row.focus(); show(row); report("trajectory", row.dataset.trajectory); }
    } else if (event.key in MOVES) {
      choose(model.get("selected_step") + MOVES[event.key]);
      const held = event.target.closest("tr[data-step]");
      if (held) root.querySelector("tr.selected")?.focus({ preventScroll: true });
    } else if (event.key === "Home" || event.key === "End") {
      choose(event.key === "Home" ? 0 : model.get("n_steps") - 1);
    } else if (event.key === "Escape") {
      escape();
    } else if (event.key === "/") {
      root.querySelector("input[type=search]")?.focus();
    } else {
      const button = [...root.querySelectorAll("button[data-key]")].find((candidate) => candidate.dataset.key === event.key);
      if (!button || button.disabled) return;
      report(button.name, button.value);
    }
    event.preventDefault();
  });

  return () => {
    clearTimeout(asking);
    clearTimeout(asksState);
    banner.remove();
    charts.forEach((chart) => chart.remove());
    listening.forEach(([event, answer]) => model.off(event, answer));
  };
}

export default { render };
