// The document page: brings the passage that was followed into view.

const marked = document.querySelector(".passage.marked");
if (marked) {
  marked.tabIndex = -1;
  // One that does not fit is read from its beginning.
  const fits = marked.offsetHeight < 0.8 * innerHeight;
  marked.scrollIntoView({ block: fits ? "center" : "start" });
  marked.focus({ preventScroll: true });
}
