// The workstation: views, panel, tools and keys around one connection.
import { Connection } from "./connection.js";
import { byId } from "./dom.js";
import { connectKeys } from "./keys.js";
import { Panel } from "./panel.js";
import { connectTheme } from "./theme.js";
import { connectUpload } from "./upload.js";
import { View } from "./view.js";

class Workstation {
  constructor() {
    this.chosen = "";
    this.target = null;
    this.isUsable = false;
    this.kept = {};
    this.views = [];
    this.panel = new Panel(this);
    this.tools = [...document.querySelectorAll("[data-tool]")];
    for (const node of this.tools) node.onclick = () => this.choose(node.dataset.tool === this.chosen ? "" : node.dataset.tool);
    this.layouts = [...document.querySelectorAll("[data-layout]")].filter((node) => node.tagName === "BUTTON");
    for (const node of this.layouts) node.onclick = () => this.act("layout", { layout: node.dataset.layout });
    connectTheme(byId("themeButton"));
    connectKeys(this);
    connectUpload((isBusy) => { byId("loadButton").disabled = isBusy; });
    document.addEventListener("visibilitychange", () => this.views.forEach((view) => view.resize()));
    this.connection = new Connection({
      onState: (state) => this.show(state),
      onImage: (image) => this.views[image.view] ? this.views[image.view].show(image) : Promise.resolve(),
      onRefused: () => {
        byId("lost").hidden = true;
        byId("refused").hidden = false;
      },
      onLost: (isLost) => {
        byId("lost").hidden = !isLost;
        if (!isLost) this.views.forEach((view) => view.resize());
      },
    });
  }

  act(action, values) { this.connection.act(action, values); }

  tool() { return this.target !== null ? "target" : this.chosen; }

  draws() { return this.isUsable && (this.target !== null || (this.chosen !== "" && this.chosen !== "window")); }

  moved() { return this.target; }

  // Choose a tool; "" for none.
  choose(tool) {
    this.target = null;
    const adjusted = this.chosen === "window";
    this.chosen = tool;
    if (adjusted !== (tool === "window")) this.act("adjustWindow", { on: tool === "window" });
    this.showTools();
  }

  movePrompt(index) {
    const again = this.target === index;
    this.choose("");
    this.target = again ? null : index;
    this.showTools();
  }

  // A drawing has ended: boxes and outlines are one at a time, clicks and strokes go on.
  drawn(view, kind, image, places) {
    if (kind === "target") this.act("move", { view, image, places, index: this.target });
    else this.act("draw", { view, kind, image, places });
    if (["target", "box", "line"].includes(kind)) this.choose("");
  }

  showTools() {
    for (const node of this.tools) {
      node.setAttribute("aria-pressed", String(node.dataset.tool === this.chosen));
    }
    for (const view of this.views) view.draws(this.draws());
    if (this.kept.prompts) this.panel.showPrompts(this.kept.prompts);
  }

  show(state) {
    Object.assign(this.kept, state);
    this.panel.show(state);
    if (state.views) this.showViews(state.views);
    if (state.prompts) {
      this.isUsable = state.prompts.usable;
      for (const node of this.tools.filter(({ dataset }) => dataset.tool !== "window")) {
        node.hidden = !state.prompts.drawings.includes(node.dataset.tool);
        node.disabled = !this.isUsable;
      }
      if (this.target !== null && this.target >= state.prompts.entries.length) this.target = null;
      this.showTools();
    }
    document.documentElement.dataset.ready = "true";
  }

  showViews(part) {
    const root = byId("views");
    part.views.slice(this.views.length).forEach(() => {
      const view = new View(this.views.length, this);
      this.views.push(view);
      root.append(view.root);
      view.draws(this.draws());
    });
    root.dataset.layout = part.layout;
    part.views.forEach((found, index) => {
      this.views[index].root.hidden = !part.visible.includes(index);
      this.views[index].state(found, part);
    });
    for (const node of this.layouts) node.hidden = node.dataset.layout === "models" && !part.rows;
    for (const node of this.layouts) node.setAttribute("aria-pressed", String(node.dataset.layout === part.layout));
  }
}

new Workstation();
