// The question box: what is written in it, how long it may be, and in which collections to look.

const TYPING_PAUSE = 180;

const find = (id) => document.getElementById(id);

export class Composer extends EventTarget {
  // Tells "ask" ({question, collections}) and, on every pause, "typing" (the text). `names`: collection slug -> name.
  constructor(names, longest) {
    super();
    Object.assign(this, { names, longest });
    this.form = find("composer");
    this.box = find("question");
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.submit();
    });
    this.box.addEventListener("keydown", (event) => {
      // 229: an Enter that ends a composition, which Safari tells of after its end.
      if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
      event.preventDefault();
      this.submit();
    });
    this.box.addEventListener("input", () => {
      this.box.setCustomValidity("");
      this.fit();
      this.hint();
    });
    find("filter")?.addEventListener("change", () => this.labelFilter());
  }

  // Once somebody listens.
  start() {
    // Enter was pressed, or the button, before this script had come.
    if (this.box.value.endsWith("\n") || this.form.dataset.early) this.submit();
    this.form.dataset.ready = "yes";
  }

  focus() {
    this.box.focus();
  }

  // Typed as if by hand, so that what stood there comes back with the browser's own undo.
  edit(question) {
    this.focus();
    this.box.select();
    if (!document.execCommand("insertText", false, question)) this.box.value = question;
    this.fit();
  }

  submit() {
    const question = this.box.value.trim();
    if (!question || this.isTooLong(question)) return;
    this.box.value = "";
    clearTimeout(this.typing);
    this.fit();
    this.tell("ask", { question, collections: this.chosen() });
    this.focus();
  }

  tell(what, detail) {
    this.dispatchEvent(new CustomEvent(what, { detail }));
  }

  // Said rather than cut off: the end of what was pasted may be the question itself.
  isTooLong(question) {
    const length = Array.from(question).length;
    if (length <= this.longest) return false;
    const [has, most] = [length, this.longest].map((count) => count.toLocaleString("en"));
    this.box.setCustomValidity(`This has ${has} characters; at most ${most} are answered.`);
    this.box.reportValidity();
    return true;
  }

  hint() {
    clearTimeout(this.typing);
    const text = this.box.value.trim();
    if (text.length < 3 || text.length > this.longest) return;
    this.typing = setTimeout(() => this.tell("typing", text), TYPING_PAUSE);
  }

  fit() {
    this.box.style.height = "auto";
    this.box.style.height = `${Math.min(this.box.scrollHeight + 2, innerHeight * 0.4)}px`;
  }

  chosen() {
    const boxes = Array.from(document.querySelectorAll("#filter input:checked"), (input) => input.value);
    return boxes.length ? boxes : null;
  }

  choose(collections) {
    for (const input of document.querySelectorAll("#filter input")) input.checked = (collections || []).includes(input.value);
    this.labelFilter();
  }

  labelFilter() {
    const label = find("filter-label");
    if (!label) return;
    const names = (this.chosen() || []).map((slug) => this.names.get(slug));
    label.textContent = names.length > 2 ? `${names.length} collections` : names.join(", ") || "All collections";
  }
}
