// What is being drawn in a view: shown at once, and sent when it ends. By mouse, touch or keys.
const SVG = "http://www.w3.org/2000/svg";
const STROKES = ["scribble", "lasso"];
const TWO_POINTS = ["box", "line"];
const CLOSEST_PIXELS = 3;
const STEP_PIXELS = 4;
const FURTHER = 8;
const SMALLEST_BOX_PIXELS = 4;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class Drawing {
  constructor(view) {
    this.view = view;
    this.isOpen = false;
    this.points = [];
    this.caret = null;
  }

  begin(pixel) {
    this.kind = this.view.link.tool();
    this.number = this.view.image ? this.view.image.number : 0;
    this.points = [pixel];
    this.isOpen = true;
    this.paint();
  }

  extend(pixel) {
    const last = this.points[this.points.length - 1];
    if (STROKES.includes(this.kind)) {
      const far = Math.max(Math.abs(pixel[0] - last[0]), Math.abs(pixel[1] - last[1]));
      if (far >= CLOSEST_PIXELS) this.points.push(pixel);
    } else if (TWO_POINTS.includes(this.kind)) this.points = [this.points[0], pixel];
    else this.points = [pixel];
    this.paint();
  }

  end() {
    const { kind, points, number, view } = this;
    this.isOpen = false;
    this.points = [];
    this.paint();
    if (kind === "box") {
      const [first, last] = [points[0], points[points.length - 1]];
      const sides = [0, 1].map((axis) => Math.abs(first[axis] - last[axis]));
      // A click is no box.
      if (Math.min(...sides) < SMALLEST_BOX_PIXELS) return;
    }
    if (kind === "line" && points.length < 2) return;
    view.link.drawn(view.index, kind, number, points);
  }

  drop() {
    this.isOpen = false;
    this.points = [];
    this.caret = null;
    this.paint();
  }

  // Arrows move a caret; Enter begins and ends a drawing there, as the mouse button does.
  key(event) {
    const image = this.view.image;
    if (!image) return false;
    const arrow = ARROWS[event.key];
    if (arrow) {
      const [x, y] = this.caret || [image.width / 2, image.height / 2];
      const step = STEP_PIXELS * (event.shiftKey ? FURTHER : 1);
      this.caret = [
        Math.min(Math.max(x + arrow[0] * step, 0), image.width - 1),
        Math.min(Math.max(y + arrow[1] * step, 0), image.height - 1),
      ];
      if (this.isOpen) this.extend(this.caret);
      this.paint();
      return true;
    }
    if (event.key !== "Enter" || event.shiftKey) return false;
    this.caret = this.caret || [image.width / 2, image.height / 2];
    if (this.isOpen) this.end();
    else {
      this.begin(this.caret);
      if (["positive", "negative", "target"].includes(this.kind)) this.end();
    }
    this.paint();
    return true;
  }

  paint() {
    const shapes = [];
    const places = this.points.map((pixel) => this.view.place(pixel));
    const className = this.kind === "negative" ? "drawn negative" : "drawn";
    if (this.isOpen && this.kind === "box" && places.length === 2) {
      const [[x1, y1], [x2, y2]] = places;
      shapes.push(shape("rect", className, {
        x: Math.min(x1, x2), y: Math.min(y1, y2), width: Math.abs(x2 - x1), height: Math.abs(y2 - y1),
      }));
    } else if (this.isOpen && (STROKES.includes(this.kind) || this.kind === "line")) {
      const points = places.map((place) => place.join(",")).join(" ");
      shapes.push(shape(this.kind === "lasso" ? "polygon" : "polyline", className, { points }));
    } else if (this.isOpen && places.length) {
      shapes.push(shape("circle", className, { cx: places[0][0], cy: places[0][1], r: 5 }));
    }
    if (this.caret) {
      const [x, y] = this.view.place(this.caret);
      shapes.push(shape("path", "caret", { d: `M${x - 9},${y}h6M${x + 3},${y}h6M${x},${y - 9}v6M${x},${y + 3}v6` }));
    }
    this.view.overlay.replaceChildren(...shapes);
  }
}

function shape(name, className, values) {
  const made = document.createElementNS(SVG, name);
  made.setAttribute("class", className);
  for (const [key, value] of Object.entries(values)) made.setAttribute(key, value);
  return made;
}
