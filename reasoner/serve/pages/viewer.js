// The tree: pan, zoom, fold, walk by keys, read a thought, grow. Model text is set as text only.
"use strict";
(() => {
  const SVG = "http://www.w3.org/2000/svg", W = 196, H = 40, DX = 244, DY = 50;
  const SIGNS = { final: "★", kept: "●", pruned: "✕", open: "○" };
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
      this.listen();
      this.start();
    }
    adopt(link) {
      const [x, y] = link.getAttribute("transform").match(/-?[\d.]+/g).map(Number);
      const node = { id: link.dataset.id, parent: link.dataset.parent, link, children: [], x, y };
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
        const edge = make("path", { class: "edge " + one.status, "data-child": one.child, d: one.path });
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
      link.setAttribute("class", "node " + one.status);
      link.replaceChildren(make("rect", { width: W, height: H, rx: 7 }), make("text", { class: "sign", x: 10, y: 25 }, one.sign), " ", make("text", { class: "first", x: 28, y: 16 }, one.first), " ", make("text", { class: "second", x: 28, y: 32 }, one.second), " ", make("text", { class: "status" }, one.status));
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
        const to = { ArrowLeft: this.nodes.get(node.parent), ArrowRight: this.folded.has(node.id) ? null : node.children[0], ArrowUp: shown[at - 1], ArrowDown: shown[at + 1], Home: this.root }[event.key];
        if (to) { event.preventDefault(); this.walk(to); }
        else if (event.key === "f" || event.key === "F") this.fold(node);
        else if (event.key === " ") { event.preventDefault(); this.choose(node); }
        else if (event.key === "+" || event.key === "-") this.zoom(event.key === "+" ? 0.8 : 1.25, 0.5, 0.5);
      });
      for (const button of document.querySelectorAll(".tools [data-do]")) {
        button.addEventListener("click", () => ({ in: () => this.zoom(0.8, 0.5, 0.5), out: () => this.zoom(1.25, 0.5, 0.5), fit: () => this.fit(), full: () => this.start(), fold: () => this.fold(this.chosen || this.root) })[button.dataset.do]());
      }
    }
    look(view) {
      this.view = view;
      this.svg.setAttribute("viewBox", `${view.x.toFixed(1)} ${view.y.toFixed(1)} ${view.w.toFixed(1)} ${view.h.toFixed(1)}`);
      if (!this.parts) return;
      clearTimeout(this.soon);
      this.soon = setTimeout(() => this.load(), 120);
    }
    start() {
      const w = this.stage.clientWidth || 800, h = this.stage.clientHeight || 600, k = Math.max(1, Math.min(this.whole.w / w, 1.5));
      const middle = this.root.y + H / 2;
      const y = this.whole.h <= h * k ? this.whole.y - (h * k - this.whole.h) / 2 : middle - (h * k) / 2;
      this.look({ x: -20, y, w: w * k, h: h * k });
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
      if (!this.folded.delete(node.id)) this.folded.add(node.id);
      this.place();
    }
    place() {
      let row = 0;
      const stack = [[this.root, 0, false]], seen = new Set();
      for (const node of this.nodes.values()) node.hidden = true;
      while (stack.length) {
        const [node, depth, after] = stack.pop(), open = node.children.length && !this.folded.has(node.id);
        node.hidden = false;
        node.x = depth * DX;
        if (after || !open) node.y = open ? (node.children[0].y + node.children[node.children.length - 1].y) / 2 : row++ * DY;
        else if (!seen.has(node.id)) {
          seen.add(node.id);
          stack.push([node, depth, true]);
          for (let i = node.children.length - 1; i >= 0; i--) stack.push([node.children[i], depth + 1, false]);
        }
      }
      let right = 0;
      for (const node of this.nodes.values()) {
        node.link.style.display = node.hidden ? "none" : "";
        const edge = this.edges.get(node.id);
        if (edge) edge.style.display = node.hidden ? "none" : "";
        if (node.hidden) continue;
        right = Math.max(right, node.x);
        node.link.setAttribute("transform", `translate(${node.x} ${node.y})`);
        const parent = this.nodes.get(node.parent);
        if (edge && parent) {
          const x1 = parent.x + W, y1 = parent.y + H / 2, y2 = node.y + H / 2, middle = (x1 + node.x) / 2;
          edge.setAttribute("d", `M${x1} ${y1}C${middle} ${y1} ${middle} ${y2} ${node.x} ${y2}`);
        }
        for (const old of node.link.querySelectorAll(".folded,.count")) old.remove();
        if (this.folded.has(node.id)) node.link.append(make("circle", { class: "folded", cx: W, cy: H / 2, r: 11 }), make("text", { class: "count", x: W, y: H / 2 + 4 }, "+" + this.below(node)));
      }
      this.whole = { x: -20, y: -20, w: right + W + 40, h: row * DY + 40 };
    }
    below(node) {
      let n = 0;
      const stack = [...node.children];
      while (stack.length) { const one = stack.pop(); n++; stack.push(...one.children); }
      return n;
    }
    async choose(node) {
      if (this.chosen) this.chosen.link.classList.remove("chosen");
      this.chosen = node;
      node.link.classList.add("chosen");
      this.walk(node);
      if (!this.panel) { location.href = node.link.getAttribute("href"); return; }
      const answer = await fetch(node.link.getAttribute("href") + "/facts");
      if (this.chosen === node) this.show(await answer.json());
    }
    show(facts) {
      const parts = [element("h3", [facts.label, facts.role].filter(Boolean).join("  "))];
      const list = element("dl", undefined, "facts");
      const fact = (name, value) => {
        if (value === null || value === undefined || value === "") return;
        const pair = element("div");
        pair.append(element("dt", name), element("dd", String(value)));
        list.append(pair);
      };
      fact("status", `${SIGNS[facts.status] || ""} ${facts.status}`);
      fact("score", facts.score);
      fact("operation", facts.operation);
      const call = facts.call;
      if (call) for (const name of ["model", "prompt_tokens", "completion_tokens", "reasoning_tokens", "cached_tokens", "usage_estimated", "seconds", "cost", "finish_reason", "constraint_requested", "constraint_applied", "sampling", "tools", "seed", "template_hash", "key", "error"]) fact(name.replace(/_/g, " "), call[name]);
      parts.push(list);
      const text = (title, body) => { if (body) parts.push(element("h3", title), element("pre", body)); };
      const fold = (body) => {
        if (!body) return;
        const folded = element("details", undefined, "reasoning");
        folded.append(element("summary", `Thought before it (${body.length} characters)`), element("pre", body));
        parts.push(folded);
      };
      const tools = (calls) => { for (const [, name, args] of calls || []) text("Tool call: " + name, args || "{}"); };
      text("State", facts.state);
      if (call) fold(call.reasoning);
      text(facts.own_reply ? "Completion" : "Text", facts.text);
      if (call) {
        tools(call.tool_calls);
        for (const message of call.messages) {
          text("Prompt: " + message.role, message.content);
          fold(message.reasoning);
          tools(message.tool_calls);
        }
        if (!facts.own_reply) text("Completion it was read from", call.reply);
      }
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

  for (const stage of document.querySelectorAll(".stage")) {
    if (!stage.querySelector("svg.tree")) continue;
    const tree = new Tree(stage);
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
  document.documentElement.dataset.ready = "yes";
})();
