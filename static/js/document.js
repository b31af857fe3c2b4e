// The document page: brings the passage that was followed into view.

const marked = document.querySelector(".passage.marked");
if (marked) {
  marked.tabIndex = -1;
  marked.scrollIntoView({ block: "center" });
  marked.focus({ preventScroll: true });
}
