// The tree: pan, zoom, fold, walk by keys, read a thought, grow. Model text is set as text only.
"use strict";
(() => {
  const SVG = "http://www.w3.org/2000/svg", W = 240, H = 66, DX = 292, DY = 80, BIG = 40, FEW = 6;
  const make = (name, attributes, text) => {
    const made = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    return made;
  };
  const element = (name, text, className) => {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    if (className) made.className = className;
    return made;
  };

  class Tree {
    constructor(stage) {
      this.stage = stage;
      this.svg = stage.querySelector("svg.tree");
      this.panel = document.getElementById("panel");
      this.nodes = new Map();
      this.folded = new Set();
      this.trimmed = new Set();
      this.edges = new Map();
      for (const edge of this.svg.querySelectorAll(".edge")) this.edges.set(edge.dataset.child, edge);
      for (const link of this.svg.querySelectorAll(".node")) this.adopt(link);
      for (const node of this.nodes.values()) this.attach(node);
      stage.classList.add("held");
      this.svg.removeAttribute("width");
      this.svg.removeAttribute("height");
      const box = this.svg.viewBox.baseVal;
      this.whole = { x: box.x, y: box.y, w: box.width, h: box.height };
      if (this.svg.dataset.window) this.part();
      else if (this.nodes.size > BIG) this.tidy();
      this.listen();
      this.start();
      const chosen = this.panel && this.nodes.get(this.panel.dataset.thought);
      if (chosen) this.mark(chosen);
    }
    // A big tree opens with the way to the answer: other branches are folded, and where many go out, a few are drawn.
    tidy() {
      const some = [...this.nodes.values()].some((node) => node.best);
      for (const node of this.nodes.values()) {
        if (!node.children.length) continue;
        if (some ? !node.best : node.x >= 3 * DX) this.folded.add(node.id);
        else if (this.few(node).length < node.children.length) this.trimmed.add(node.id);
      }
      this.place();
    }
    few(node) {
      const chosen = new Set(node.children.filter((child) => child.best));
      for (const wanted of ["final", "kept", "open", "pruned"]) for (const child of node.children) if (chosen.size < FEW && child.link.classList.contains(wanted)) chosen.add(child);
      return node.children.filter((child) => chosen.has(child));
    }
    shown(node) { return this.folded.has(node.id) ? [] : this.trimmed.has(node.id) ? this.few(node) : node.children; }
    adopt(link) {
      const [x, y] = link.getAttribute("transform").match(/-?[\d.]+/g).map(Number);
      const node = { id: link.dataset.id, parent: link.dataset.parent, link, children: [], x, y, best: link.classList.contains("best") };
      link.setAttribute("tabindex", this.nodes.size ? "-1" : "0");
      this.nodes.set(node.id, node);
      return node;
    }
    attach(node) {
      const parent = this.nodes.get(node.parent);
      if (parent) parent.children.push(node);
    }
    // A large tree comes in parts of one size, each asked for when it is first seen.
    part() {
      const [x, y, w, h] = this.svg.dataset.box.split(" ").map(Number), [width, height] = this.svg.dataset.whole.split(" ").map(Number);
      this.whole = { x: -20, y: -20, w: width, h: height };
      this.parts = { w, h, done: new Set([x / w + " " + y / h]) };
    }
    async load() {
      const { w, h, done } = this.parts, v = this.view;
      const columns = [Math.floor(v.x / w), Math.floor((v.x + v.w) / w)], rows = [Math.floor(v.y / h), Math.floor((v.y + v.h) / h)];
      if ((columns[1] - columns[0] + 1) * (rows[1] - rows[0] + 1) > 6) return;
      for (let i = Math.max(0, columns[0]); i <= columns[1]; i++) for (let j = rows[0]; j <= rows[1]; j++) {
        const place = i + " " + j;
        if (done.has(place) || i * w > this.whole.w || j * h > this.whole.h || (j + 1) * h < 0) continue;
        done.add(place);
        const answer = await fetch(`${this.svg.dataset.window}?x=${i * w}&y=${j * h}`);
        if (answer.ok) this.draw(await answer.json());
        else done.delete(place);
      }
    }
    draw({ nodes, edges }) {
      for (const one of edges) {
        const edge = make("path", { class: "edge " + one.status + (one.best ? " best" : ""), "data-child": one.child, d: one.path });
        this.svg.querySelector(".edges").append(edge);
        this.edges.set(one.child, edge);
      }
      const news = nodes.filter((one) => !this.nodes.has(one.id)).map((one) => {
        const link = this.card(one, `translate(${one.x} ${one.y})`);
        this.svg.querySelector(".nodes").append(link);
        return this.adopt(link);
      });
      for (const node of news) this.attach(node);
      const fresh = new Set(news);
      for (const node of this.nodes.values()) {
        const parent = this.nodes.get(node.parent);
        if (!fresh.has(node) && parent && fresh.has(parent)) parent.children.push(node);
      }
      const told = document.getElementById("part");
      if (told) told.firstChild.textContent = `${this.nodes.size} thoughts are drawn here; further ones are drawn as you move. `;
    }
    card(one, transform) {
      const link = make("a", { "data-id": one.id, "data-parent": one.parent, transform, href: location.pathname + "/thought/" + one.id });
      this.fill(link, one);
      return link;
    }
    fill(link, one) {
      link.setAttribute("class", "node " + one.status + (one.best ? " best" : ""));
      const known = this.nodes.get(one.id);
      if (known) known.drawn = "";
      link.replaceChildren(make("rect", { width: W, height: H, rx: 8 }), make("text", { class: "sign", x: 11, y: 20 }, one.sign), " ", make("text", { class: "first", x: 30, y: 20 }, one.first), " ", make("text", { class: "second", x: 12, y: 39 }, one.second), " ", make("text", { class: "second", x: 12, y: 56 }, one.third), " ", make("text", { class: "status" }, one.status));
    }
    get root() { return this.nodes.values().next().value; }
    listen() {
      let held = null;
      this.stage.addEventListener("pointerdown", (event) => { if (event.button === 0) held = { x: event.clientX, y: event.clientY, view: { ...this.view }, moved: false }; });
      window.addEventListener("pointermove", (event) => {
        if (!held) return;
        const scale = held.view.w / this.stage.clientWidth, dx = event.clientX - held.x, dy = event.clientY - held.y;
        if (Math.hypot(dx, dy) > 4) { held.moved = true; this.stage.classList.add("moving"); }
        if (held.moved) this.look({ ...held.view, x: held.view.x - dx * scale, y: held.view.y - dy * scale });
      });
      window.addEventListener("pointerup", () => { this.justMoved = held !== null && held.moved; held = null; this.stage.classList.remove("moving"); });
      this.svg.addEventListener("dragstart", (event) => event.preventDefault());
      this.svg.addEventListener("click", (event) => {
        const link = event.target.closest(".node");
        if (!link || event.ctrlKey || event.metaKey) return;
        event.preventDefault();
        if (this.justMoved) return;
        const node = this.nodes.get(link.dataset.id);
        if (event.target.classList.contains("folded")) this.fold(node);
        else this.choose(node);
      });
      this.stage.addEventListener("wheel", (event) => {
        event.preventDefault();
        const scale = this.view.w / this.stage.clientWidth;
        if (event.ctrlKey || event.metaKey) {
          const box = this.stage.getBoundingClientRect();
          this.zoom(Math.exp(event.deltaY / 300), (event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
        } else this.look({ ...this.view, x: this.view.x + event.deltaX * scale, y: this.view.y + event.deltaY * scale });
      }, { passive: false });
      this.svg.addEventListener("keydown", (event) => {
        const node = this.nodes.get(event.target.dataset ? event.target.dataset.id : "");
        if (!node) return;
        const shown = [...this.nodes.values()].filter((one) => !one.hidden && one.x === node.x).sort((a, b) => a.y - b.y);
        const at = shown.indexOf(node);
        const to = { ArrowLeft: this.nodes.get(node.parent), ArrowRight: this.shown(node)[0], ArrowUp: shown[at - 1], ArrowDown: shown[at + 1], Home: this.root }[event.key];
        if (to) { event.preventDefault(); this.walk(to); }
        else if (event.key === "f" || event.key === "F") this.fold(node);
        else if (event.key === " ") { event.preventDefault(); this.choose(node); }
        else if (event.key === "+" || event.key === "-") this.zoom(event.key === "+" ? 0.8 : 1.25, 0.5, 0.5);
      });
      for (const button of document.querySelectorAll(".tools [data-do]")) {
        button.addEventListener("click", () => ({ in: () => this.zoom(0.8, 0.5, 0.5), out: () => this.zoom(1.25, 0.5, 0.5), fit: () => this.fit(), full: () => this.start(), fold: () => this.fold(this.chosen || this.root), all: () => this.open() })[button.dataset.do]());
      }
    }
    look(view) {
      this.view = view;
      if (this.map) this.map.frame(view);
      this.svg.setAttribute("viewBox", `${view.x.toFixed(1)} ${view.y.toFixed(1)} ${view.w.toFixed(1)} ${view.h.toFixed(1)}`);
      if (!this.parts) return;
      clearTimeout(this.soon);
      this.soon = setTimeout(() => this.load(), 120);
    }
    // At the first look every letter has its own size, and the root stands at the left.
    start() {
      const w = this.stage.clientWidth || 800, h = this.stage.clientHeight || 600;
      const y = this.whole.h <= h ? this.whole.y - (h - this.whole.h) / 2 : Math.max(this.whole.y, Math.min(this.root.y + H / 2 - h / 2, this.whole.y + this.whole.h - h));
      this.look({ x: -20, y, w, h });
      this.chart();
    }
    // The map of a tree that does not fit: all cards small, the part in view framed.
    chart() {
      const fits = this.whole.w <= this.stage.clientWidth && this.whole.h <= this.stage.clientHeight;
      if (this.map) this.map.svg.remove();
      this.map = fits || this.stage.classList.contains("small") ? null : new Overview(this);
    }
    fit() {
      const shape = this.stage.clientWidth / this.stage.clientHeight, w = Math.max(this.whole.w, this.whole.h * shape);
      this.look({ x: this.whole.x, y: this.whole.y - (w / shape - this.whole.h) / 2, w, h: w / shape });
    }
    zoom(by, atX, atY) {
      const v = this.view, w = Math.min(Math.max(v.w * by, 200), 400000), h = w * (v.h / v.w);
      this.look({ x: v.x + (v.w - w) * atX, y: v.y + (v.h - h) * atY, w, h });
    }
    walk(node) {
      (this.stop || this.root).link.setAttribute("tabindex", "-1");
      this.stop = node;
      node.link.setAttribute("tabindex", "0");
      node.link.focus({ preventScroll: true });
      const v = this.view;
      if (node.x < v.x || node.x + W > v.x + v.w || node.y < v.y || node.y + H > v.y + v.h) this.look({ ...v, x: node.x + W / 2 - v.w / 2, y: node.y + H / 2 - v.h / 2 });
    }
    fold(node) {
      if (!node.children.length || this.parts) return;
      if (!this.folded.delete(node.id) && !this.trimmed.delete(node.id)) this.folded.add(node.id);
      this.place();
      this.chart();
    }
    open() {
      if (this.parts) return;
      this.folded.clear();
      this.trimmed.clear();
      this.place();
      this.chart();
    }
    // What is chosen is drawn: the branches it stands in are opened.
    reveal(node) {
      if (!node.hidden) return;
      for (let below = node, up = this.nodes.get(node.parent); up; below = up, up = this.nodes.get(up.parent)) {
        this.folded.delete(up.id);
        if (this.trimmed.has(up.id) && !this.few(up).includes(below)) this.trimmed.delete(up.id);
      }
      this.place();
      this.chart();
    }
    place() {
      let row = 0;
      const stack = [[this.root, 0, false]], seen = new Set();
      for (const node of this.nodes.values()) node.hidden = true;
      while (stack.length) {
        const [node, depth, after] = stack.pop(), shown = this.shown(node), open = shown.length;
        node.hidden = false;
        node.x = depth * DX;
        if (after || !open) node.y = !open ? row++ * DY : ((node.best && shown.find((one) => one.best)) || { y: (shown[0].y + shown[shown.length - 1].y) / 2 }).y;
        else if (!seen.has(node.id)) {
          seen.add(node.id);
          stack.push([node, depth, true]);
          for (let i = shown.length - 1; i >= 0; i--) stack.push([shown[i], depth + 1, false]);
        }
      }
      let right = 0;
      for (const node of this.nodes.values()) {
        if (!node.hidden) right = Math.max(right, node.x);
        this.draws(node);
      }
      this.whole = { x: -20, y: -20, w: right + W + 40, h: row * DY + 40 };
    }
    // Only what has changed is written: a tree has thousands of cards.
    draws(node) {
      const edge = this.edges.get(node.id), parent = this.nodes.get(node.parent);
      const display = node.hidden ? "none" : "";
      if (node.display !== display) {
        node.display = node.link.style.display = display;
        if (edge) edge.style.display = display;
      }
      if (node.hidden) return;
      const drawn = this.shown(node), left = node.children.length === drawn.length ? 0 : this.below(node, new Set(drawn));
      const place = [node.x, node.y, parent && parent.y, left, drawn.length > 0].join(" ");
      if (node.drawn === place) return;
      node.drawn = place;
      node.link.setAttribute("transform", `translate(${node.x} ${node.y})`);
      if (edge && parent) {
        const x1 = parent.x + W, y1 = parent.y + H / 2, y2 = node.y + H / 2, middle = (x1 + node.x) / 2;
        edge.setAttribute("d", `M${x1} ${y1}C${middle} ${y1} ${middle} ${y2} ${node.x} ${y2}`);
      }
      for (const old of node.link.querySelectorAll(".folded,.count")) old.remove();
      if (!left) return;
      const words = "+" + left, wide = 12 + 8 * words.length, x = W - (drawn.length ? 30 : 0), y = drawn.length ? H : H / 2;
      node.link.append(make("rect", { class: "folded", x: x - wide / 2, y: y - 11, width: wide, height: 22, rx: 11 }), make("text", { class: "count", x, y: y + 4 }, words));
    }
    below(node, but) {
      let n = 0;
      const stack = node.children.filter((child) => !but.has(child));
      while (stack.length) { const one = stack.pop(); n++; stack.push(...one.children); }
      return n;
    }
    mark(node) {
      if (this.chosen) this.chosen.link.classList.remove("chosen");
      this.chosen = node;
      node.link.classList.add("chosen");
    }
    async choose(node) {
      this.mark(node);
      this.reveal(node);
      this.walk(node);
      if (!this.panel) { location.href = node.link.getAttribute("href"); return; }
      const answer = await fetch(node.link.getAttribute("href") + "/facts");
      if (this.chosen === node) this.show(await answer.json());
    }
    // The same as `facts_of` in parts.html.
    show(facts) {
      const list = (pairs) => {
        const made = element("dl", undefined, "facts");
        for (const [name, value] of pairs) {
          const pair = element("div");
          pair.append(element("dt", name), element("dd", value));
          made.append(pair);
        }
        return made;
      };
      const folded = (title, body, name) => {
        const made = element("details", undefined, name);
        made.append(element("summary", title), body);
        return made;
      };
      const parts = [element("h3", facts.heading), list(facts.figures)];
      for (const part of facts.parts) {
        const text = element("pre", part.text);
        if (part.text.length > 200 || part.text.split("\n").length > 5) text.tabIndex = 0;
        if (part.folded) parts.push(folded(part.title, text, "part"));
        else parts.push(element("h4", part.title), text);
      }
      if (facts.settings.length) parts.push(folded("Settings and use", list(facts.settings), "part settings"));
      this.panel.replaceChildren(...parts);
      this.panel.dataset.thought = facts.id;
      this.panel.scrollTop = 0;
    }
    grow(news) {
      for (const one of news) {
        const known = this.nodes.get(one.id);
        const link = known ? known.link : this.card(one, "translate(0 0)");
        if (known) this.fill(link, one);
        if (!known) {
          this.svg.querySelector(".nodes").append(link);
          this.attach(this.adopt(link));
          if (one.parent) {
            const edge = make("path", { "data-child": one.id });
            this.svg.querySelector(".edges").append(edge);
            this.edges.set(one.id, edge);
          }
        }
        const edge = this.edges.get(one.id);
        if (edge) edge.setAttribute("class", "edge " + one.status);
      }
      this.place();
      this.svg.setAttribute("aria-label", `Search tree of ${this.nodes.size} thoughts`);
    }
  }

  class Overview {
    constructor(tree) {
      const { x, y, w, h } = tree.whole, shape = 190 / 130, wide = Math.max(w, h * shape);
      this.svg = make("svg", { class: "map", "aria-hidden": "true", viewBox: `${x} ${y - (wide / shape - h) / 2} ${wide} ${wide / shape}` });
      const drawn = { rest: [], kept: [], best: [] };
      for (const node of tree.nodes.values()) if (!node.hidden) drawn[node.best ? "best" : node.link.classList.contains("kept") ? "kept" : "rest"].push(`M${node.x} ${node.y}h${W}v${H}h-${W}z`);
      for (const [name, cards] of Object.entries(drawn)) this.svg.append(make("path", { class: name, d: cards.join("") }));
      this.seen = make("rect", {});
      this.svg.append(this.seen);
      const go = (event) => {
        event.stopPropagation();
        if (event.type === "pointermove" && !event.buttons) return;
        const box = this.svg.getBoundingClientRect(), all = this.svg.viewBox.baseVal, v = tree.view;
        tree.look({ ...v, x: all.x + ((event.clientX - box.left) / box.width) * all.width - v.w / 2, y: all.y + ((event.clientY - box.top) / box.height) * all.height - v.h / 2 });
      };
      for (const name of ["pointerdown", "pointermove"]) this.svg.addEventListener(name, go);
      tree.stage.append(this.svg);
      this.frame(tree.view);
    }
    frame(view) { for (const [name, value] of Object.entries({ x: view.x, y: view.y, width: view.w, height: view.h })) this.seen.setAttribute(name, value); }
  }

  for (const stage of document.querySelectorAll(".stage")) {
    if (!stage.querySelector("svg.tree")) continue;
    const tree = new Tree(stage);
    for (const step of document.querySelectorAll("[data-pick]")) {
      step.addEventListener("click", (event) => {
        const node = tree.nodes.get(step.dataset.pick);
        if (!node || !tree.panel || event.ctrlKey || event.metaKey) return;
        event.preventDefault();
        tree.choose(node);
      });
    }
    if (stage.dataset.live) {
      const source = new EventSource(stage.dataset.live);
      source.addEventListener("message", (event) => tree.grow(JSON.parse(event.data)));
      source.addEventListener("closed", (event) => {
        source.close();
        const live = document.getElementById("live");
        if (live) { live.textContent = JSON.parse(event.data); live.className = "badge finished"; }
      });
    }
  }
  // A run that is going on says how far it has come; when it ends, its page is taken anew.
  const progress = document.getElementById("progress");
  if (progress) {
    const look = async () => {
      const answer = await fetch(progress.dataset.progress), made = answer.ok ? await answer.json() : null;
      if (made && made.status !== "running") return location.reload();
      if (made) {
        progress.max = made.trajectories || 1;
        progress.value = made.done;
        for (const name of ["done", "calls", "tokens"]) for (const one of document.querySelectorAll(`[data-live=${name}]`)) one.textContent = made[name].toLocaleString("en");
      }
      setTimeout(look, 2000);
    };
    setTimeout(look, 2000);
  }
  document.documentElement.dataset.ready = "yes";
})();
