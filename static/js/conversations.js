// The list of conversations: a side bar, a drawer where there is no room for one, and the dialog to rename and delete.

import { h, svg } from "./dom.js";

const find = (id) => document.getElementById(id);

export class Conversations {
  constructor() {
    this.panel = find("history");
    this.opener = find("drawer-open");
    this.dialog = find("manage");
    this.narrow = matchMedia("(max-width: 899px)");
    this.opener.addEventListener("click", () => this.open(!this.isOpen));
    find("drawer-close").addEventListener("click", () => this.open(false));
    find("scrim").addEventListener("click", () => this.open(false));
    this.narrow.addEventListener("change", () => this.open(false));
    this.panel.addEventListener("click", (event) => {
      const button = event.target.closest("[data-manage]");
      if (button) this.manage(button.closest("li"));
    });
    // Before the page's own handler, for which Escape stops the answer.
    document.addEventListener(
      "keydown",
      (event) => {
        if (event.key !== "Escape" || !this.isOpen) return;
        event.stopPropagation();
        this.open(false);
      },
      { capture: true },
    );
    this.dialog.querySelector("[data-close]").addEventListener("click", () => this.dialog.close());
    this.confirmDeletion();
    const asked = new URLSearchParams(location.search);
    const isWanted = ["q", "all"].some((name) => asked.has(name)); // who has just looked for one
    this.open(this.narrow.matches && isWanted, { focus: false });
  }

  get isOpen() {
    return document.body.classList.contains("drawer");
  }

  open(open, { focus = true } = {}) {
    const was = this.isOpen;
    document.body.classList.toggle("drawer", open);
    this.opener.setAttribute("aria-expanded", String(open));
    this.panel.inert = this.narrow.matches && !open;
    find("main").inert = open;
    find("scrim").hidden = !open;
    if (!focus || was === open) return;
    if (open) find("drawer-close").focus();
    else this.opener.focus();
  }

  manage(item) {
    const id = item.dataset.conversation;
    find("rename-form").action = `/c/${id}/rename/`;
    find("delete-form").action = `/c/${id}/delete/`;
    find("rename-title").value = item.querySelector("a").textContent;
    this.dialog.showModal();
    find("rename-title").select();
  }

  // Deleting takes a second press: there is no way back.
  confirmDeletion() {
    const button = this.dialog.querySelector(".danger");
    const plain = button.textContent;
    this.dialog.addEventListener("close", () => {
      button.textContent = plain;
      delete button.dataset.sure;
    });
    find("delete-form").addEventListener("submit", (event) => {
      if (button.dataset.sure) return;
      event.preventDefault();
      button.dataset.sure = "yes";
      button.textContent = "Delete for good?";
    });
  }

  // A conversation that has just begun comes to the top; so does one that goes on.
  show(id, title) {
    const nav = find("conversations");
    find("no-conversations")?.remove();
    let item = nav.querySelector(`[data-conversation="${id}"]`);
    let day = nav.querySelector('[data-day="Today"]');
    if (!day) {
      day = h("section", { dataset: { day: "Today" } }, h("h2", { class: "eyebrow" }, "Today"), h("ul", { class: "list" }));
      nav.prepend(day);
    }
    const old = item?.closest("section");
    item = item || this.item(id, title);
    day.querySelector("ul").prepend(item);
    if (old && !old.querySelector("li")) old.remove();
    for (const other of nav.querySelectorAll("li")) {
      other.classList.toggle("current", other === item);
      if (other === item) other.querySelector("a").setAttribute("aria-current", "page");
      else other.querySelector("a").removeAttribute("aria-current");
    }
  }

  item(id, title) {
    const dots = [4, 10, 16].map((cx) => svg("circle", { cx, cy: 10, r: 1.5 }));
    return h(
      "li",
      { dataset: { conversation: id } },
      h("a", { href: `/c/${id}/`, title }, title),
      h(
        "button",
        { type: "button", class: "icon-button more", "aria-haspopup": "dialog", "aria-label": `Rename or delete “${title}”`, dataset: { manage: "" } },
        svg("svg", { viewBox: "0 0 20 20", width: 16, height: 16, fill: "currentColor", "aria-hidden": "true" }, dots),
      ),
    );
  }
}
