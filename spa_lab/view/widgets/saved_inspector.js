// The inspector of a saved page: a model that answers host.js in place of a kernel, from episodes drawn beforehand.
// Runs after page.js and host.js, in one module.

const MOST_LISTED = 500;
const CLEARED = { text: "", outcome: "all", kind: "", shortest: "", longest: "", disagreement: "" };
const SUCCESS = { success: true, failure: false, unknown: null };

/** Text as part of HTML or of a quoted attribute. */
function escaped(text) {
  const names = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;" };
  return text.replace(/[&<>"']/g, (character) => names[character]);
}

async function unpacked(id) {
  const bytes = Uint8Array.from(atob(document.getElementById(id).textContent), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

class SavedModel {
  constructor(data) {
    this.data = data;
    this.listeners = {};
    this.query = { ...CLEARED };
    this.order = "as saved";
    this.notes = new Map(data.notes.map((note) => [this.key(note.trajectory_id, note.step), note]));
    this.store = `spa-lab notes ${data.collection} ${data.digest}`; // many collections share a name
    for (const note of this.kept()) this.notes.set(this.key(note.trajectory_id, note.step), note);
    this.state = {
      panes: ["status", "filters", "found", "head", "controls", "chart", "steps", "remarks"],
      chart_panes: ["chart"], name: data.name, uid: "saved", status: "", filters: data.filters,
      controls: data.controls, query_words: [], selected_step: 0, n_steps: 0,
    };
    this.kind = data.chart;
    this.on("change:selected_step", () => this.drawStep());
    if (!this.follow()) this.open(data.shown, data.step);
  }

  // What host.js asks of a model.
  get(name) { return this.state[name] ?? ""; }
  set(name, value) {
    if (this.state[name] === value) return;
    this.state[name] = value;
    this.fire(`change:${name}`);
  }
  save_changes() {}
  on(event, answer) { (this.listeners[event] ??= []).push(answer); }
  off(event, answer) { this.listeners[event] = (this.listeners[event] ?? []).filter((one) => one !== answer); }
  fire(event, ...values) { for (const answer of [...(this.listeners[event] ?? [])]) answer(...values); }
  send({ moves }) {
    for (const [name, value] of Object.entries(moves ?? {})) this.move(name, value);
    this.fire("msg:custom", { answered: true });
  }

  move(name, value) {
    if (name === "trajectory") this.open(Number(value), 0);
    else if (name === "previous" || name === "next") this.walk(name === "next" ? 1 : -1);
    else if (name === "pivotal") this.set("selected_step", this.episode.pivotal ?? this.state.selected_step);
    else if (name === "page") this.set("selected_step", Number(value) * this.data.per_page);
    else if (name === "chart") { this.kind = value; this.set("chart", this.episode.charts[value]); }
    else if (name === "sort") {
      const [down, up] = this.data.orders[value];
      this.order = this.order === down ? up : down;
      this.sorted = value;
      this.list();
    } else if (name === "reset") {
      this.query = { ...CLEARED };
      this.state.filters = "";
      this.set("filters", this.data.filters);
      this.search();
    } else if (name in this.query) { this.query[name] = value; this.search(); }
    else if (name === "save_notes") this.download();
    else if (/^(tags|note|label|text):/.test(name)) this.write(name, value);
  }

  get episode() { return this.data.episodes[this.shown]; }

  open(index, step) {
    this.shown = index;
    this.page = null;
    this.state.n_steps = this.episode.n_steps;
    this.state.selected_step = Math.max(0, Math.min(step, this.episode.n_steps - 1));
    this.set("head", this.episode.head);
    this.set("chart", this.episode.charts[this.kind]);
    this.list();
    this.fire("change:selected_step");
  }

  drawStep() {
    const step = this.state.selected_step, page = Math.floor(step / this.data.per_page);
    if (page !== this.page) {
      this.page = page;
      this.set("steps", this.labelled(this.episode.steps[page]));
    }
    this.remark();
    history.replaceState(null, "", `#episode=${encodeURIComponent(this.episode.id)}&step=${step}`);
  }

  /** Opens the episode and step that the address names; false if it names none. */
  follow() {
    const wanted = new URLSearchParams(location.hash.slice(1));
    const index = this.data.episodes.findIndex((episode) => episode.id === wanted.get("episode"));
    const step = Number.parseInt(wanted.get("step") ?? "0", 10) || 0;
    if (index >= 0 && (index !== this.shown || step !== this.state.selected_step)) this.open(index, step);
    return index >= 0;
  }

  search() {
    this.set("query_words", this.query.text.toLowerCase().split(/\s+/).filter(Boolean));
    for (const chip of document.querySelectorAll("button.chip[name=outcome]")) {
      chip.setAttribute("aria-pressed", String(chip.value === this.query.outcome));
    }
    const found = this.found();
    if (found.length && !found.includes(this.shown)) this.open(found[0], 0);
    else this.list();
  }

  found() {
    const { outcome, kind, shortest, longest, disagreement } = this.query;
    const { data, sorted } = this;
    const positions = [...data.episodes.keys()].filter((at) => {
      const { text, success, keys, kind: own } = data.episodes[at];
      return this.state.query_words.every((word) => text.includes(word))
        && (outcome === "all" || success === SUCCESS[outcome]) && (!kind || own === kind)
        && (!shortest || keys.steps >= Number(shortest)) && (!longest || keys.steps <= Number(longest))
        && (!disagreement || (keys.gap !== null && keys.gap >= Number(disagreement)));
    });
    if (this.order === "as saved") return positions;
    const way = this.ascends() ? 1 : -1;
    const key = (at) => data.episodes[at].keys[sorted];
    return positions.sort((a, b) => {
      if (key(a) === null || key(b) === null) return (key(a) === null) - (key(b) === null);
      return way * (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0);
    });
  }

  /** Whether the smallest key comes first; the first click on a task sorts from A to Z, on others down. */
  ascends() { return (this.sorted === "task") !== (this.data.orders[this.sorted][1] === this.order); }

  list() {
    const { data, shown, sorted } = this;
    const found = this.found();
    const focused = found.includes(shown) ? shown : found[0];
    const rows = found.slice(0, MOST_LISTED).map((at) => data.episodes[at].row
      .replace(" data-state", ` tabindex="${at === focused ? 0 : -1}" aria-selected="${at === shown}"`)
      .replace("</span></td>", (end) => this.badges(data.episodes[at].id) + end)); // "$" in a tag stays as it is
    const head = sorted ? data.list_head.replace(new RegExp(`(<th[^>]*)(><button[^>]*value="${sorted}")`),
      `$1 aria-sort="${this.ascends() ? "ascending" : "descending"}"$2`) : data.list_head;
    const { text, outcome, ...others } = this.query;
    const filtered = found.length && (text || outcome !== "all" || Object.values(others).some(Boolean));
    const reset = filtered ? ' <button type="button" class="chip" name="reset">Reset</button>' : "";
    const more = found.length > MOST_LISTED ? `, the first ${MOST_LISTED} listed` : "";
    const none = found.length ? "" : '<p class="nothing">Nothing found. <button type="button" name="reset">Clear the filters</button></p>';
    this.set("found", `<p class="facts" role="status">${found.length} of ${data.episodes.length} episodes of `
      + `${escaped(data.collection)}${more}${reset}</p>${none}<div class="scroll low" data-keep>${head}<tbody>${rows.join("")}</tbody></table></div>`);
  }

  walk(way) {
    const found = this.found(), place = found.indexOf(this.shown);
    const next = found[place < 0 ? 0 : place + way];
    if (next !== undefined) this.open(next, 0);
  }

  // Notes: those the reader changed are kept in the browser, empty ones too, which stand for what was deleted.
  key(id, step) { return JSON.stringify([id, step ?? null]); }
  note(step) {
    const id = this.episode.id;
    return this.notes.get(this.key(id, step)) ?? { trajectory_id: id, step, tags: [], label: "", text: "" };
  }
  badges(id) {
    const tags = this.notes.get(this.key(id, null))?.tags ?? [];
    return tags.map((tag) => ` <span class="badge" dir="auto">${escaped(tag)}</span>`).join("");
  }
  /** A page of steps with the labels of its notes, after the badges that Python drew. */
  labelled(html) {
    const rows = /<tr data-step="(\d+)".*?<div class="line action">.*?<\/span> <span>(?:<span class="badge".*?<\/span> )*/gs;
    return html.replace(rows, (drawn, step) => {
      const { label } = this.note(Number(step));
      const shown = label.length > 24 ? `${label.slice(0, 23)}…` : label;
      return label ? `${drawn}<span class="badge" dir="auto">${escaped(shown)}</span> ` : drawn;
    });
  }
  kept() {
    try { return JSON.parse(localStorage.getItem(this.store) ?? "[]"); } catch { return []; } // storage may be off
  }
  write(name, value) {
    const [kind, position, step] = name.split(":");
    const id = this.data.episodes[Number(position)].id, at = step === undefined ? null : Number(step);
    const old = this.notes.get(this.key(id, at)) ?? { trajectory_id: id, step: at, tags: [], label: "", text: "" };
    const tags = [...new Set(value.split(",").map((tag) => tag.trim()).filter(Boolean))];
    const changed = kind === "tags" ? { tags } : kind === "label" ? { label: value.trim() } : { text: value };
    const note = { ...old, ...changed };
    this.notes.set(this.key(id, at), note);
    const kept = new Map(this.kept().map((one) => [this.key(one.trajectory_id, one.step), one])).set(this.key(id, at), note);
    try { localStorage.setItem(this.store, JSON.stringify([...kept.values()])); } catch { /* notes last until the page is closed */ }
    if (kind === "tags") this.list();
    else if (kind === "label") this.set("steps", this.labelled(this.episode.steps[this.page]));
    this.remark();
  }
  written() { return [...this.notes.values()].filter(({ tags, label, text }) => tags.length || label || text); }
  download() {
    const lines = [{ schema: this.data.schema, holds: "notes" }, ...this.written()].map((line) => JSON.stringify(line));
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([`${lines.join("\n")}\n`], { type: "application/jsonl" }));
    link.download = "notes.jsonl";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }
  remark() {
    const step = this.state.selected_step, [whole, one] = [this.note(null), this.note(step)];
    const field = (name, title, value) => `<label class="control">${title}<input type="text" name="${name}" `
      + `value="${escaped(value)}" autocomplete="off"></label>`;
    const count = this.written().length;
    this.set("remarks", `<details class="notes" data-keep="notes"><summary>tags, notes, labels${count ? ` (${count})` : ""}</summary>`
      + `<div class="bar-of-controls">${field(`tags:${this.shown}`, "tags of the episode", whole.tags.join(", "))}`
      + `${field(`note:${this.shown}`, "note", whole.text)}${field(`label:${this.shown}:${step}`, `label of step ${step}`, one.label)}`
      + `${field(`text:${this.shown}:${step}`, "note", one.text)}`
      + '<button type="button" name="save_notes">Export as JSON lines</button></div></details>');
  }
}

{
  const packed = atob(document.getElementById("plotly-gzip").textContent);
  providePlotly(Uint8Array.from(packed, (character) => character.charCodeAt(0)));
  const model = new SavedModel(await unpacked("episodes-gzip"));
  const el = document.getElementById("spa-lab-page");
  el.replaceChildren();
  render({ model, el });
  addEventListener("hashchange", () => model.follow());
  document.addEventListener("keydown", (event) => { // the page is the view: keys need no focus
    if (el.contains(event.target) || event.ctrlKey || event.metaKey || event.altKey) return;
    el.lastElementChild.dispatchEvent(new KeyboardEvent("keydown", { key: event.key }));
  });
}
