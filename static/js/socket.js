// The socket of the page: one connection, opened again with growing pauses when it is lost. It knows nothing of
// questions; whoever listens for "open" decides what to send again.

const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 15000;
const NOT_LOGGED_IN = 4401;

export class AskSocket extends EventTarget {
  constructor(path) {
    super();
    this.url = new URL(path, location.href);
    this.url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    this.failures = 0;
    this.timer = null;
    this.socket = null;
    addEventListener("online", () => this.retryNow());
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible") this.retryNow();
    });
    // A page that comes back from the browser's cache has lost its socket without a word.
    addEventListener("pageshow", (event) => {
      if (event.persisted) this.retryNow();
    });
  }

  get isOpen() {
    return this.socket !== null && this.socket.readyState === WebSocket.OPEN;
  }

  connect() {
    clearTimeout(this.timer);
    this.timer = null;
    const socket = new WebSocket(this.url);
    this.socket = socket;
    socket.addEventListener("open", () => {
      this.failures = 0;
      this.dispatchEvent(new Event("open"));
    });
    socket.addEventListener("message", (event) => {
      this.dispatchEvent(new CustomEvent("frame", { detail: JSON.parse(event.data) }));
    });
    socket.addEventListener("close", (event) => {
      if (this.socket !== socket) return;
      if (event.code === NOT_LOGGED_IN) this.dispatchEvent(new Event("refused"));
      else this.lost();
    });
  }

  // Whether the frame went out.
  send(frame) {
    if (!this.isOpen) return false;
    this.socket.send(JSON.stringify(frame));
    return true;
  }

  // Gives a connection up that has fallen silent, and opens another.
  renew() {
    if (this.timer !== null) return; // it is known to be lost, and is tried again soon
    const old = this.socket;
    this.socket = null;
    if (old) old.close();
    this.connect();
  }

  retryNow() {
    if (this.timer !== null) this.connect();
  }

  lost() {
    this.failures += 1;
    const pause = Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (this.failures - 1)) * (0.5 + Math.random() / 2);
    this.timer = setTimeout(() => this.connect(), pause);
    this.dispatchEvent(new CustomEvent("lost", { detail: { failures: this.failures } }));
  }
}
