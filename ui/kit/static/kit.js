// What the pages gain from JavaScript; each of them works without it. There is
// no inline handler anywhere: everything listens here, on the document, so
// parts that htmx brings in later are covered, too.
(() => {
  "use strict";
  const root = document.documentElement;
  root.classList.add("js");

  const status = (key) => {
    const region = document.getElementById("kit-status");
    if (!region) return;
    region.textContent = "";
    requestAnimationFrame(() => { region.textContent = region.dataset[key]; });
  };

  // Copying. The clipboard of the browser needs a trusted certificate, which
  // a satellite may not have on its first day, so there is an older way.
  const write = async (text) => {
    if (navigator.clipboard && window.isSecureContext) {
      try {
        await navigator.clipboard.writeText(text);
        return true;
      } catch { /* the older way may still be allowed */ }
    }
    const field = document.createElement("textarea");
    field.value = text;
    field.className = "visually-hidden";
    field.setAttribute("readonly", "");
    document.body.append(field);
    field.select();
    try {
      return document.execCommand("copy");
    } finally {
      field.remove();
    }
  };
  const copied = new WeakMap();
  const copy = async (button) => {
    let text = button.dataset.copy;
    if (button.dataset.copyAll !== undefined) {
      const from = document.getElementById(button.dataset.copyAll) || document;
      text = [...from.querySelectorAll("[data-copy]")].map((one) => one.dataset.copy).join("\n");
    }
    const done = await write(text);
    button.focus();
    status(done ? "copied" : "failed");
    if (!done) return;
    button.classList.add("copied");
    clearTimeout(copied.get(button));
    copied.set(button, setTimeout(() => button.classList.remove("copied"), 2000));
  };

  // The drawer on narrow screens.
  const toggle = () => document.querySelector("[data-drawer]");
  const drawerOpen = () => root.classList.contains("drawer-is-open");
  const openDrawer = () => {
    root.classList.add("drawer-is-open");
    toggle().setAttribute("aria-expanded", "true");
    document.querySelector("#sidebar [data-drawer-close]").focus();
  };
  const closeDrawer = () => {
    root.classList.remove("drawer-is-open");
    toggle().setAttribute("aria-expanded", "false");
    toggle().focus();
  };

  const closeMenus = (except) => {
    let closed = false;
    for (const menu of document.querySelectorAll("details[data-menu][open]")) {
      if (menu === except || menu.contains(except)) continue;
      const inside = menu.contains(document.activeElement);
      menu.open = false;
      if (inside) menu.querySelector("summary").focus();
      closed = true;
    }
    return closed;
  };

  // A panel has an address of its own, and its close link the address without
  // it. A panel that htmx brought in is closed in place, and the focus returns
  // to what opened it.
  let opener = null;
  const closePanel = (panel) => {
    const link = panel.querySelector("[data-close]");
    if (!opener || !opener.isConnected) {
      link.click();
      return;
    }
    history.replaceState(null, "", link.href);
    panel.remove();
    opener.closest("tr")?.classList.remove("selected");
    opener.focus();
    opener = null;
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy], [data-copy-all]");
    if (button) {
      copy(button);
      return;
    }
    if (event.target.closest("[data-drawer]")) {
      event.preventDefault();
      openDrawer();
      return;
    }
    if (event.target.closest("[data-drawer-close]")) {
      event.preventDefault();
      if (location.hash === "#sidebar") location.hash = "";
      closeDrawer();
      return;
    }
    const opening = event.target.closest("[data-panel]");
    if (opening) {
      opener?.closest("tr")?.classList.remove("selected");
      opening.closest("tr")?.classList.add("selected");
      opener = opening;
    }
    const closing = event.target.closest(".panel [data-close]");
    if (closing && opener && opener.isConnected) {
      event.preventDefault();
      closePanel(closing.closest(".panel"));
    }
    closeMenus(event.target);
  });

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      if (closeMenus()) return;
      if (drawerOpen()) {
        closeDrawer();
        return;
      }
      const panel = document.querySelector(".panel");
      if (panel) closePanel(panel);
      return;
    }
    const typing = event.target.closest("input, textarea, select, [contenteditable]");
    if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
    const search = [...document.querySelectorAll("[data-search]")].find((field) => field.offsetParent);
    if (!search) return;
    event.preventDefault();
    search.focus();
    search.select();
  });

  // The theme changes at once; the server remembers it for the next page.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.matches("[data-theme-switch]") || !event.submitter) return;
    event.preventDefault();
    const theme = event.submitter.value;
    root.setAttribute("data-bs-theme", theme);
    const body = new URLSearchParams(new FormData(form));
    body.set("theme", theme);
    fetch(form.action, { method: "POST", body, redirect: "manual" });
    form.querySelector(theme === "dark" ? ".to-light" : ".to-dark").focus();
    document.dispatchEvent(new CustomEvent("kit:theme", { detail: theme }));
  });

  // A form that makes a secret is sent once: the answer to a second click would
  // take the place of the one that shows it.
  let sent = new WeakSet();
  document.addEventListener("submit", (event) => {
    if (!event.target.matches("[data-once]")) return;
    if (sent.has(event.target)) event.preventDefault();
    sent.add(event.target);
  });
  window.addEventListener("pageshow", () => { sent = new WeakSet(); });

  // A destructive act waits until the name has been typed.
  const check = (form) => {
    const typed = form.querySelector("input:not([type=hidden])").value.trim();
    form.querySelector(".btn-danger").disabled = typed !== form.dataset.confirm;
  };
  const checkAll = (within) => {
    for (const form of within.querySelectorAll("form[data-confirm]")) check(form);
  };
  document.addEventListener("input", (event) => {
    const form = event.target.closest("form[data-confirm]");
    if (form) check(form);
  });
  checkAll(document);

  // htmx: the token against forged requests, and the bar on a card whose
  // content takes longer than 300 ms.
  const token = document.querySelector("meta[name=csrf-token]")?.content;
  document.addEventListener("htmx:configRequest", (event) => {
    if (token) event.detail.headers["X-CSRF-Token"] = token;
  });
  document.addEventListener("htmx:load", (event) => checkAll(event.target));
  const waiting = new Map();
  document.addEventListener("htmx:beforeRequest", (event) => {
    const card = event.target.closest(".card") || event.detail.target.closest(".card");
    if (!card) return;
    waiting.set(event.detail.xhr, { card, timer: setTimeout(() => {
      card.classList.add("busy");
      card.setAttribute("aria-busy", "true");
    }, 300) });
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    const wait = waiting.get(event.detail.xhr);
    if (!wait) return;
    waiting.delete(event.detail.xhr);
    clearTimeout(wait.timer);
    wait.card.classList.remove("busy");
    wait.card.removeAttribute("aria-busy");
  });
})();
