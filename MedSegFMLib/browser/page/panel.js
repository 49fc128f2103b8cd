// The panel: each section is brought to the state that the server sends.
import { Comparison } from "./comparison.js";
import { showConsistency } from "./consistency.js";
import { button, byId, fill, setHidden, setRows, setText, span } from "./dom.js";
import { Options } from "./options.js";
import { Refine } from "./refine.js";
import { Review } from "./review.js";
import { download } from "./token.js";

// Prompts are shown by the workstation, with the tools.
const SECTIONS = ["volume", "views", "segments", "model", "status"];

export class Panel {
  constructor(link) {
    this.link = link;
    this.segmentList = byId("segmentList");
    this.promptList = byId("promptTable");
    this.comparison = new Comparison(link);
    this.options = new Options(link);
    this.refine = new Refine(link);
    this.review = byId("reviewSection") ? new Review(link) : null;
    this.connect();
  }

  connect() {
    const { link } = this;
    for (const node of document.querySelectorAll("[data-action]")) {
      node.addEventListener("click", () => link.act(node.dataset.action));
    }
    for (const node of document.querySelectorAll("[data-toggle]")) {
      node.addEventListener("change", () => link.act(node.dataset.toggle, { on: node.checked }));
    }
    byId("volumeSelector").onchange = (event) => link.act("chooseVolume", { id: event.target.value });
    byId("windowPreset").onchange = (event) => link.act("window", { window: event.target.value });
    for (const id of ["level", "width"]) byId(id).onchange = () => this.sendLevels();
    byId("modelSelector").onchange = (event) => link.act("model", { model: event.target.value });
    byId("deviceSelector").onchange = (event) => link.act("device", { device: event.target.value });
    byId("opacity").oninput = (event) => link.act("opacity", { opacity: Number(event.target.value) });
    byId("exportButton").onclick = () => download(`results/${byId("resultFormat").value}`);
    byId("savePromptsButton").onclick = () => download("prompts.json");
    byId("saveTableButton").onclick = () => download("comparison.csv");
    byId("textRow").onsubmit = (event) => {
      event.preventDefault();
      link.act("text", { text: byId("textEdit").value });
      byId("textEdit").value = "";
    };
  }

  sendLevels() {
    const [level, width] = [Number(byId("level").value), Number(byId("width").value)];
    if (width > 0 && Number.isFinite(level)) this.link.act("levels", { level, width });
  }

  show(state) {
    for (const name of SECTIONS) if (state[name]) this[name](state[name]);
    if (state.refine) this.refine.show(state.refine);
    if (state.consistency) showConsistency(state.consistency);
    if (state.comparison) this.comparison.show(state.comparison);
    if (state.review && this.review) this.review.show(state.review);
  }

  volume(part) {
    fill("volumeSelector", part.choices.map(({ id, name }) => ({ value: id, title: name })), part.chosen);
    const hint = byId("volumeHint");
    setText("volumeHint", part.opening ? `Reading ${part.opening}…` : part.hint || part.facts);
    hint.classList.toggle("error", part.isFault);
    setText("barVolume", part.name);
    setHidden("recoverButton", !part.canRecover);
    for (const id of ["windowRow", "levelRow"]) setHidden(id, !part.chosen);
  }

  views(part) {
    const windows = part.windows.map((name) => ({ value: name, title: name }));
    fill("windowPreset", [{ value: "", title: "Presets", disabled: true }, ...windows], "");
    for (const id of ["level", "width"]) {
      if (document.activeElement !== byId(id)) byId(id).value = Number(part[id].toPrecision(6));
    }
  }

  segments(part) {
    setText("segmentHint", part.hint);
    byId("nextSegmentButton").disabled = !part.canAdd;
    byId("avoidOthers").checked = part.avoidsOthers;
    setHidden("segmentRow", !part.canAdd);
    const opacity = byId("opacity");
    if (document.activeElement !== opacity) opacity.value = part.opacity;
    byId("outline").checked = part.isOutlined;
    fill("resultFormat", part.formats.map(({ key, title, ending }) => ({ value: key, title: `${title} (${ending})` })));
    byId("exportButton").disabled = !part.canSave;
    byId("loadSegmentsButton").disabled = !part.canAdd;
    setRows(this.segmentList, part.rows.map((row) => this.segmentRow(row, part.current)));
  }

  segmentRow(row, current) {
    const { link } = this, isCurrent = row.id === current;
    const item = document.createElement("li");
    item.className = isCurrent ? "chosen" : "";
    const swatch = span("swatch", "");
    swatch.style.background = row.color;
    const name = button(row.name, "New prompts are for this segment", () => link.act("chooseSegment", { id: row.id }),
      { className: "name" });
    if (isCurrent) name.setAttribute("aria-current", "true");
    item.append(swatch, name);
    if (row.isObject) {
      item.append(button("✎", "Rename", () => this.rename(item, name, row), { label: `Rename ${row.name}` }));
    }
    item.append(
      button(row.isVisible ? "◉" : "◌", "Show or hide", () => link.act("showSegment", { id: row.id, on: !row.isVisible }),
        { pressed: row.isVisible, label: `Show ${row.name}` }),
      button("Lock", "No answer changes a locked segment", () => link.act("lockSegment", { id: row.id, on: !row.isLocked }),
        { pressed: row.isLocked, label: `Lock ${row.name}` }),
    );
    if (row.isObject) {
      item.append(button("✕", "Remove this segment and its prompts; Undo brings them back",
        () => link.act("removeSegment", { id: row.id }), { label: `Remove ${row.name}` }));
    }
    return item;
  }

  rename(item, name, row) {
    const field = document.createElement("input");
    field.type = "text";
    field.value = row.name;
    field.maxLength = 64;
    field.className = "name";
    field.setAttribute("aria-label", `Name of ${row.name}`);
    const done = () => {
      // Replacing the field takes its focus, which would replace it once more.
      field.onblur = null;
      field.replaceWith(name);
    };
    field.onkeydown = (event) => {
      if (event.key === "Enter") this.link.act("renameSegment", { id: row.id, name: field.value });
      if (event.key === "Enter" || event.key === "Escape") { done(); name.focus(); }
      event.stopPropagation();
    };
    field.onblur = done;
    name.replaceWith(field);
    field.select();
  }

  model(part) {
    fill("modelSelector", part.models.map(({ name, title, lacksPackages }) =>
      ({ value: name, title, disabled: lacksPackages && name !== part.chosen })), part.chosen);
    fill("deviceSelector", part.devices.map(({ name, title }) => ({ value: name, title })), part.device);
    setText("modelSummary", part.summary);
    setText("modelTakes", part.takes);
    setText("modelState", part.costs);
    setText("modelFault", part.fault);
    this.options.show(part);
  }

  showPrompts(part) {
    setText("promptHint", part.hint);
    setHidden("textRow", !part.takesText);
    setHidden("classesRow", part.classes.length === 0);
    byId("classNames").replaceChildren(...part.classes.map((name) => new Option(name, name)));
    byId("undoButton").disabled = !part.canUndo;
    byId("redoButton").disabled = !part.canRedo;
    byId("resetButton").disabled = part.entries.length === 0;
    byId("runButton").disabled = !part.usable || part.entries.length === 0;
    setHidden("runButton", part.autoRun);
    byId("autoRun").checked = part.autoRun;
    byId("newSegmentPerBox").checked = part.newSegmentPerBox;
    setRows(this.promptList, part.entries.map((entry, index) => this.promptRow(entry, index)));
    this.promptList.scrollTop = this.promptList.scrollHeight;
  }

  promptRow(entry, index) {
    const { link } = this;
    const item = document.createElement("li");
    const what = `${entry.title} of ${entry.segment}`;
    item.append(span("name", `${entry.title} · ${entry.segment}`), span("place", entry.place));
    if (entry.canMove) {
      item.append(button("Move", "Click the new position in a slice view", () => link.movePrompt(index),
        { label: `Move ${what}`, pressed: link.moved() === index }));
    }
    item.append(button("✕", "Delete this prompt", () => link.act("delete", { index }), { label: `Delete ${what}` }));
    return item;
  }

  status(part) {
    setHidden("progressRow", !part.isBusy);
    byId("progressBar").value = part.percent;
    setText("elapsedLabel", part.seconds === null ? "" : `${part.seconds} s`);
    setText("statusLabel", part.bar && part.isBusy ? `${part.sentence} ${part.bar}` : part.sentence);
    byId("statusLabel").classList.toggle("error", part.isError);
    setText("changeLabel", part.changed);
    setText("logView", part.log.join("\n"));
  }
}
