// The panels on the left: tabs, one panel each; a drawer where the screen is narrow.

/** In their order. Each is filled when it is opened for the first time. */
const PANELS = [
  { key: "tags", title: "Tags", mount: (...all) => mountTagList(...all) },
  { key: "thresholds", title: "Thresholds", mount: (...all) => mountSliders(...all) },
  { key: "findings", title: "Findings", mount: (...all) => mountFindings(...all) },
  { key: "plan", title: "Plan", mount: (...all) => mountPlan(...all) },
  { key: "charts", title: "Charts", mount: (...all) => mountCharts(...all) },
  { key: "about", title: "About", mount: (...all) => mountAbout(...all) },
];

class SidePanels {
  /**
   * @param {Review} review
   * @param {Ui} ui what the panels get besides
   */
  constructor(review, ui) {
    Object.assign(this, { review, ui, side: byId("side"), openKey: null });
    this.tabs = PANELS.map(({ key, title }) =>
      h("button", {
        role: "tab",
        id: `tab-${key}`,
        "aria-controls": `panel-${key}`,
        "aria-selected": "false",
        tabindex: "-1",
        text: title,
        on: { click: () => this.open(key) },
      }),
    );
    this.panels = PANELS.map(({ key }) =>
      h("section", {
        class: "panel",
        id: `panel-${key}`,
        role: "tabpanel",
        "aria-labelledby": `tab-${key}`,
        tabindex: "0",
        hidden: true,
      }),
    );
    this.updates = new Map();
    byId("tabs").append(...this.tabs);
    byId("panels").append(...this.panels);
    byId("tabs").addEventListener("keydown", (event) => this.onTabKey(event));
    byId("panels-button").addEventListener("click", () => this.toggleDrawer());
    this.narrow = matchMedia("(max-width: 999px)");
    this.closeButton = button("Close", () => this.toggleDrawer(false), { class: "quiet small drawer-close" });
    byId("tabs").after(this.closeButton);
  }

  get place() {
    return PANELS.findIndex(({ key }) => key === this.openKey);
  }

  /** Shows a panel; it hears now what changed while it was closed. */
  open(key) {
    this.openKey = key;
    for (const [place, panel] of PANELS.entries()) {
      const isOpen = panel.key === key;
      this.tabs[place].setAttribute("aria-selected", String(isOpen));
      this.tabs[place].tabIndex = isOpen ? 0 : -1;
      this.panels[place].hidden = !isOpen;
    }
    this.refresh();
  }

  /** Notes for every panel what changed, and lets the one that is seen draw it. */
  changed(what) {
    for (const update of this.updates.values()) for (const each of what) update.pending.add(each);
    this.refresh();
  }

  refresh() {
    if (this.place < 0 || this.side.offsetParent === null) return;
    const { key, mount } = PANELS[this.place];
    const known = this.updates.get(key);
    if (!known) {
      const update = mount(this.panels[this.place], this.review, this.ui);
      this.updates.set(key, { update: update || (() => {}), pending: new Set() });
    } else if (known.pending.size) {
      const what = known.pending;
      known.pending = new Set();
      known.update(what);
    }
  }

  toggleDrawer(isOpen = !this.side.classList.contains("open")) {
    this.side.classList.toggle("open", isOpen);
    byId("panels-button").setAttribute("aria-expanded", String(isOpen));
    if (isOpen) {
      this.refresh();
      this.focusTab();
    } else if (this.narrow.matches) byId("panels-button").focus();
  }

  /** Brings a panel to the front, opening the drawer where there is one. */
  focus(place) {
    const panel = PANELS[place];
    if (!panel) return;
    if (this.narrow.matches) this.toggleDrawer(true);
    this.open(panel.key);
    this.focusTab();
  }

  focusTab() {
    this.tabs[Math.max(0, this.place)].focus();
  }

  /** Into the open panel: to the first of its controls, else to the panel. */
  enter() {
    const panel = this.panels[this.place];
    const controls = [...panel.querySelectorAll("input, select, button, summary")];
    (controls.find((each) => !each.disabled && each.tabIndex >= 0 && each.offsetParent) ?? panel).focus();
  }

  onTabKey(event) {
    if (event.key === "Enter" || event.key === "ArrowDown") {
      event.preventDefault();
      this.enter();
      return;
    }
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const last = PANELS.length - 1;
    let place = this.place + (step || 0);
    if (event.key === "Home") place = 0;
    else if (event.key === "End") place = last;
    else if (!step) return;
    event.preventDefault();
    this.focus((place + PANELS.length) % PANELS.length);
  }
}
