// The connection to the server: JSON both ways, images from there. It is made again when it breaks.
import { ask, protocols } from "./token.js";

// View, format, width, height, number: see view_image.py.
const HEADER_BYTES = 10;
const RETRY_MS = 1000;

export class Connection {
  constructor({ onState, onImage, onLost, onRefused }) {
    this.handlers = { onState, onImage, onLost, onRefused };
    this.open();
  }

  open() {
    const address = new URL("socket", location.href);
    address.protocol = address.protocol.replace("http", "ws");
    address.search = "";
    this.socket = new WebSocket(address, protocols);
    this.socket.binaryType = "arraybuffer";
    this.socket.onopen = () => {
      this.handlers.onLost(false);
      this.send({ type: "hello" });
    };
    this.socket.onmessage = ({ data }) => {
      if (typeof data === "string") this.handlers.onState(JSON.parse(data));
      else this.takeImage(data);
    };
    this.socket.onclose = () => this.closed();
  }

  // A server that was started anew has another token, so that trying again would be in vain.
  async closed() {
    const answer = await ask("session").catch(() => null);
    if (answer && answer.status === 403) {
      this.handlers.onRefused();
      return;
    }
    this.handlers.onLost(true);
    setTimeout(() => this.open(), RETRY_MS);
  }

  takeImage(data) {
    const header = new DataView(data, 0, HEADER_BYTES);
    const image = {
      view: header.getUint8(0),
      type: header.getUint8(1) === 0 ? "image/jpeg" : "image/png",
      width: header.getUint16(2),
      height: header.getUint16(4),
      number: header.getUint32(6),
      bytes: new Uint8Array(data, HEADER_BYTES),
    };
    this.handlers.onImage(image).finally(() => this.send({ type: "drawn", view: image.view }));
  }

  send(message) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  act(action, values = {}) {
    this.send({ type: "act", action, ...values });
  }
}
