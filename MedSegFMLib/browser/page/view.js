// One view: its image, its letters and scale, and the mouse, touch and keys in it.
import { Drawing } from "./drawing.js";

const SCALES_MM = [1, 2, 5, 10, 20, 50, 100, 200];
const SCALE_PIXELS = 90;
const SVG = "http://www.w3.org/2000/svg";

export class View {
  constructor(index, link) {
    this.index = index;
    this.link = link;
    this.image = null;
    this.size = "";
    this.move = null;
    this.root = element("section", "view");
    this.root.tabIndex = 0;
    this.root.dataset.view = index;
    this.stage = this.root.appendChild(element("div", "stage"));
    this.canvas = this.stage.appendChild(document.createElement("canvas"));
    this.context = this.canvas.getContext("2d");
    this.overlay = this.stage.appendChild(document.createElementNS(SVG, "svg"));
    this.overlay.setAttribute("aria-hidden", "true");
    this.title = this.stage.appendChild(element("span", "mark"));
    this.letters = ["left", "right", "top", "bottom"].map((side) =>
      this.stage.appendChild(element("span", `letter ${side}`)));
    this.scale = this.stage.appendChild(element("div", "scale"));
    this.scaleText = this.scale.appendChild(document.createElement("span"));
    this.window = this.stage.appendChild(element("span", "window"));
    this.foot = this.root.appendChild(element("div", "foot"));
    this.slider = this.foot.appendChild(document.createElement("input"));
    this.slider.type = "range";
    this.slider.min = 0;
    this.count = this.foot.appendChild(document.createElement("output"));
    this.slider.oninput = () => this.link.act("slice", { view: index, slice: Number(this.slider.value) });
    this.drawing = new Drawing(this);
    new ResizeObserver(() => this.resize()).observe(this.stage);
    this.listen();
  }

  listen() {
    const { stage } = this;
    stage.addEventListener("pointerdown", (event) => this.down(event));
    stage.addEventListener("pointermove", (event) => this.moved(event));
    stage.addEventListener("pointerup", (event) => this.up(event));
    stage.addEventListener("pointercancel", () => this.drawing.drop());
    stage.addEventListener("pointerleave", () => this.pointer("leave", { clientX: 0, clientY: 0 }));
    stage.addEventListener("contextmenu", (event) => event.preventDefault());
    stage.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    this.root.addEventListener("keydown", (event) => this.key(event));
  }

  // The server renders with the size of the page that was used or resized last.
  resize() {
    const box = this.stage.getBoundingClientRect();
    const width = Math.round(box.width), height = Math.round(box.height);
    if (!width || !height || document.hidden) return;
    this.size = `${width}×${height}`;
    this.link.act("size", { view: this.index, width, height });
  }

  async show(image) {
    const bitmap = await createImageBitmap(new Blob([image.bytes], { type: image.type }));
    if (this.canvas.width !== image.width || this.canvas.height !== image.height) {
      this.canvas.width = image.width;
      this.canvas.height = image.height;
    }
    this.context.drawImage(bitmap, 0, 0);
    bitmap.close();
    this.image = image;
    this.root.dataset.image = image.number;
  }

  state(found, views) {
    if (this.title.textContent !== found.title) {
      this.title.textContent = found.title;
      this.root.setAttribute("aria-label", `${found.title} view`);
      this.slider.setAttribute("aria-label", `${found.title} slice`);
    }
    found.letters.length ? found.letters.forEach((text, n) => { this.letters[n].textContent = text; })
      : this.letters.forEach((mark) => { mark.textContent = ""; });
    const isSlice = found.slices > 0;
    this.foot.hidden = !isSlice;
    this.scale.hidden = !isSlice;
    this.window.textContent = isSlice ? `W ${round(views.width)}  L ${round(views.level)}` : "";
    if (!isSlice) return;
    this.slider.max = found.slices - 1;
    if (document.activeElement !== this.slider || !this.slider.matches(":active")) this.slider.value = found.slice;
    this.count.textContent = `${found.slice + 1} / ${found.slices}`;
    const mmPerPixel = found.mmPerPixel * found.width / (this.stage.clientWidth || found.width);
    const mm = SCALES_MM.filter((length) => length / mmPerPixel <= SCALE_PIXELS).pop() || SCALES_MM[0];
    this.scale.style.width = `${mm / mmPerPixel}px`;
    this.scaleText.textContent = mm >= 10 ? `${mm / 10} cm` : `${mm} mm`;
  }

  // From the page to pixels of the image, which keeps its shape if the page's view has another.
  pixel({ clientX, clientY }) {
    const box = this.stage.getBoundingClientRect();
    const { width, height } = this.image || box;
    const scale = Math.min(box.width / width, box.height / height);
    const x = (clientX - box.left - (box.width - width * scale) / 2) / scale;
    const y = (clientY - box.top - (box.height - height * scale) / 2) / scale;
    return [x, y];
  }

  // Back from pixels of the image to the overlay.
  place([x, y]) {
    const box = this.stage.getBoundingClientRect();
    const { width, height } = this.image || box;
    const scale = Math.min(box.width / width, box.height / height);
    return [x * scale + (box.width - width * scale) / 2, y * scale + (box.height - height * scale) / 2];
  }

  pointer(kind, event, more = {}) {
    if (!this.image) return;
    const [x, y] = this.pixel(event);
    this.link.act("pointer", {
      view: this.index, kind, x: x / this.image.width, y: y / this.image.height,
      shift: Boolean(event.shiftKey), control: Boolean(event.ctrlKey), ...more,
    });
  }

  down(event) {
    this.root.focus({ preventScroll: true });
    this.stage.setPointerCapture(event.pointerId);
    event.preventDefault();
    if (event.button === 0 && this.link.draws()) this.drawing.begin(this.pixel(event));
    else this.pointer("down", event, { button: event.button % 3 });
  }

  moved(event) {
    if (this.drawing.isOpen) {
      for (const each of event.getCoalescedEvents?.() || [event]) this.drawing.extend(this.pixel(each));
      return;
    }
    // One move for each frame is enough.
    if (this.move === null) requestAnimationFrame(() => {
      if (this.move) this.pointer("move", this.move);
      this.move = null;
    });
    this.move = event;
  }

  up(event) {
    if (this.drawing.isOpen) {
      this.drawing.extend(this.pixel(event));
      this.drawing.end();
      return;
    }
    this.move = null;
    this.pointer("up", event, { button: event.button % 3 });
  }

  wheel(event) {
    event.preventDefault();
    if (event.ctrlKey || this.slider.max === "0" || this.foot.hidden) {
      this.pointer("wheel", event, { up: event.deltaY < 0 });
      return;
    }
    this.link.act("step", { view: this.index, by: event.deltaY < 0 ? 1 : -1 });
  }

  key(event) {
    if (event.target !== this.root) return;
    const steps = { PageUp: 1, PageDown: -1 }[event.key];
    if (steps && !this.foot.hidden) {
      event.preventDefault();
      this.link.act("step", { view: this.index, by: steps * (event.shiftKey ? 10 : 1) });
    } else if (this.link.draws() && this.drawing.key(event)) {
      event.preventDefault();
    }
  }

  draws(on) {
    this.stage.classList.toggle("draws", on);
    if (!on) this.drawing.drop();
  }
}

function element(name, className, text = "") {
  const made = document.createElement(name);
  made.className = className;
  made.textContent = text;
  return made;
}

function round(value) {
  return Math.abs(value) >= 10 ? Math.round(value) : Number(value.toPrecision(3));
}
