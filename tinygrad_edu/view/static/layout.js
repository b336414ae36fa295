// Where everything stands, with modules open or folded: the part of the layout that needs sizes.
// It is heights.py and arrange.py in JavaScript, with the same numbers and the same order of every
// sum; tests/test_arrange.py holds the two equal. Columns come from plan.py, by way of the page.

const WIDE_GAP = 124; // between two columns: with local derivatives,
const NARROW_GAP = 96; // without,
const PORT_GAP = 44; // and from the frame to what is inside
const GAP_BELOW = 24;
const PILL_HEIGHT = 22;
const PILL_GAP = 3;
const CIRCLE_EDGE = 10; // where an edge meets the circle of the operation
const CIRCLE_SPREAD = 24;
const BEFORE_MODULE = 58;
const PADDING = 16;
const PADDING_TOP = 34;
const FOLDED_SIZE = [166, 72];

// Sizes are [width, height] of the cards, or null where one is not drawn, pillWidths has 0 where a link has no local derivative,
// outer and moduleOf have -1 for none, links are [tail, head, operand]. Boxes are keyed "card:3" or
// "module:1". Links from one box into one folded module are one line: shown tells which. The modules
// in derived show a local derivative on the edges that reach them, when folded. Lines from one card
// are one line until they part: turns are its points, each with the number of the one before it
// or -1, and last has the number of the last turn of each link, or -1.
function arrange(containers, sizes, folded, pillWidths, outer, moduleOf, links, derived = [], room = Infinity) {
  const paths = modulePaths(moduleOf, outer);
  const closed = new Set(folded);
  const isOpen = [true];
  const rooms = [room];
  for (const [m, around] of outer.entries()) {
    isOpen.push(isOpen[around + 1] && !closed.has(m));
    rooms.push(rooms[around + 1] - WIDE_GAP - 2 * PADDING);
  }
  const pillsAt = new Map(); // how many local derivatives stand before a card or module
  links.forEach(([, head], k) => {
    if (pillWidths[k] > 0) pillsAt.set(`card:${head}`, (pillsAt.get(`card:${head}`) ?? 0) + 1);
  });
  for (const m of derived) {
    if (isOpen[m + 1]) continue;
    pillsAt.set(`module:${m}`, containers[m + 1].spots.filter(([kind]) => kind === "in").length);
  }
  const placed = new Map();
  for (let c = containers.length - 1; c >= 0; c--) {
    if (isOpen[c]) placed.set(c, placeContainer(containers[c], rooms[c], c > 0, sizes, pillsAt, placed));
  }
  const boxes = {};
  containers.forEach((container, c) => {
    if (isOpen[c]) putBoxes(container, placed.get(c), boxes, placed);
  });
  const [tails, heads] = [0, 1].map((end) => links.map((link) => seenAs(link[end], paths[link[end]], isOpen)));
  links.forEach(([tail], k) => { if (!sizes[tail]) tails[k] = heads[k]; });
  const lines = { turns: [], last: [], reached: new Map(), placed };
  const shown = drawLines(links, paths, tails, heads, lines);
  const homes = heads.map((name) => {
    const [kind, i] = name.split(":");
    return (kind === "card" ? moduleOf : outer)[i] + 1;
  });
  const hasPill = heads.map((name, k) => shown[k] === k && pillWidths[k] > 0 && pillsAt.has(name));
  const pills = placePills(heads, homes, lines, hasPill);
  const { width, height } = placed.get(0);
  const rows = Math.max(...[...placed.values()].map((container) => container.rows.tops.length));
  return { boxes, turns: lines.turns, last: lines.last, shown, pills, width, height, rows };
}

// --- What passes where (plan.py) ---------------------------------------------------------------

function modulePaths(moduleOf, outer) {
  const ofModule = [];
  for (const [m, around] of outer.entries()) ofModule.push([...(around >= 0 ? ofModule[around] : [-1]), m]);
  return moduleOf.map((m) => (m >= 0 ? ofModule[m] : [-1]));
}

// The containers that a link passes, from tail to head, each with the spot where it goes.
function linkStages(tail, head, paths) {
  const a = paths[tail];
  const b = paths[head];
  const spotIn = (card, path, i) => (i + 1 < path.length ? `module:${path[i + 1]}` : `card:${card}`);
  let common = 0;
  while (common < Math.min(a.length, b.length) && a[common] === b[common]) common++;
  const stages = [];
  for (let i = a.length - 1; i >= common; i--) stages.push([a[i] + 1, `out:${tail}`]);
  stages.push([a[common - 1] + 1, spotIn(head, b, common - 1)]);
  for (let i = common; i < b.length; i++) stages.push([b[i] + 1, spotIn(head, b, i)]);
  return stages;
}

// The outermost folded module around a card, or the card itself.
function seenAs(card, path, isOpen) {
  for (const m of path.slice(1)) if (!isOpen[m + 1]) return `module:${m}`;
  return `card:${card}`;
}

// --- Columns and boxes (arrange.py) ------------------------------------------------------------

function placeContainer(container, room, framed, cardSizes, pillsAt, placed) {
  const { spots, columns, trunks } = container;
  const sizes = spots.map(([kind, i]) => {
    if (kind === "card") return cardSizes[i];
    if (kind !== "module") return [0, 0];
    const inside = placed.get(i + 1);
    return inside ? [inside.width, inside.height + PADDING_TOP + PADDING] : FOLDED_SIZE;
  });
  const heights = spots.map(([kind, i], k) =>
    Math.max(sizes[k][1], (pillsAt.get(`${kind}:${i}`) ?? 0) * (PILL_HEIGHT + PILL_GAP)),
  );
  const port = (spot, side, source) => portOffset(spots[spot], side, source, placed);
  const middles = levelSpots(container, heights, port);
  const { lefts, rights } = columnSides(container, framed, sizes, pillsAt);
  const columnOf = spots.map(() => 0);
  for (const [i, column] of columns.entries()) for (const spot of column) columnOf[spot] = i;
  const crossing = crossingLines(container, columnOf);
  const firsts = firstColumns(container, crossing, rights, room);
  const rows = stackRows(container, firsts, crossing, { lefts, rights }, heights, middles, port, framed ? PADDING : 0);
  let { width } = rows;
  const height = rows.bottoms[rows.bottoms.length - 1];
  const last = columns.length - 1;
  if (framed && spots[columns[last][0]][0] !== "out") width += PADDING;
  else if (framed) lefts[last] = rights[last] = width;
  const number = new Map();
  const ports = new Map();
  spots.forEach(([kind, i], k) => {
    if (kind !== "bend") number.set(`${kind}:${i}`, k);
    if (kind === "in" || kind === "out") {
      ports.set(`${kind}:${i}`, middles[k] + PADDING_TOP - (height + PADDING_TOP + PADDING) / 2);
    }
  });
  const ways = new Map(container.ways.map(([t, length, head]) => [`${trunks[t][0]} ${head}`, [t, trunks[t][1], length]]));
  return { spots, lefts, rights, columnOf, sizes, middles, width, height, number, ways, rows, ports, x: 0, y: 0 };
}

// How far below the middle of a spot an edge touches it; 0 unless it is an open module.
function portOffset([kind, i], side, source, placed) {
  const inside = kind === "module" ? placed.get(i + 1) : undefined;
  return inside ? inside.ports.get(`${side}:${source}`) : 0;
}

function columnSides({ spots, columns, trunks, ways }, framed, sizes, pillsAt) {
  const direct = new Set(); // spots that an edge reaches straight from a port
  for (const [t, length, head] of ways) {
    if (length === 1 && spots[trunks[t][1][0]][0] === "in") direct.add(head);
  }
  const lefts = [];
  const rights = [];
  columns.forEach((column, i) => {
    const has = (kind) => column.some((s) => spots[s][0] === kind);
    let gap = NARROW_GAP;
    if (i === 0) gap = framed && !has("in") ? PADDING : 0;
    else if (column.some((s) => pillsAt.get(spots[s].join(":")))) gap = WIDE_GAP;
    else if (has("out")) gap = PORT_GAP;
    if (i === 1 && spots[columns[0][0]][0] === "in") {
      const isBox = (s) => spots[s][0] === "card" || spots[s][0] === "module";
      if (!column.some((s) => direct.has(s) && isBox(s))) gap = PORT_GAP;
    }
    lefts.push((i ? rights[i - 1] : 0) + gap);
    rights.push(lefts[i] + Math.max(0, ...column.map((s) => sizes[s][0])));
  });
  return { lefts, rights };
}

function putBoxes({ spots }, here, boxes, placed) {
  spots.forEach(([kind, i], k) => {
    if (kind !== "card" && kind !== "module") return;
    const [w, h] = here.sizes[k];
    const x = here.x + here.lefts[here.columnOf[k]];
    const y = here.y + here.middles[k] - h / 2;
    boxes[`${kind}:${i}`] = { x, y, w, h };
    const inside = kind === "module" ? placed.get(i + 1) : undefined;
    if (inside) Object.assign(inside, { x, y: y + PADDING_TOP });
  });
}

// --- Heights (heights.py) ----------------------------------------------------------------------

function levelSpots({ spots, columns, trunks, ways }, heights, port) {
  const before = spots.map(() => []);
  const after = spots.map(() => []);
  function join(a, b, source) {
    const shift = port(a, "out", source) - port(b, "in", source);
    before[b].push([a, shift]);
    after[a].push([b, -shift]);
  }
  for (const [source, trunk] of trunks) {
    for (let i = 1; i + 1 < trunk.length; i++) join(trunk[i - 1], trunk[i], source);
  }
  for (const [t, length, head] of ways) join(trunks[t][1][length - 1], head, trunks[t][0]);
  const middles = spots.map(() => 0);
  for (const column of columns) {
    let y = 0;
    for (const s of column) {
      middles[s] = y + heights[s] / 2;
      y += heights[s] + GAP_BELOW;
    }
  }
  for (let sweep = 0; sweep < 12; sweep++) {
    const forwards = sweep % 2 === 1;
    for (const column of forwards ? columns : columns.slice().reverse()) {
      const wishes = column.map((s) => {
        const [near, far] = forwards ? [before[s], after[s]] : [after[s], before[s]];
        const around = near.length ? near : far;
        let total = 0;
        for (const [n, shift] of around) total += middles[n] + shift;
        return around.length ? total / around.length : middles[s];
      });
      const own = column.map((s) => heights[s]);
      for (const [i, y] of spaceOut(own, wishes, GAP_BELOW).entries()) middles[column[i]] = y;
    }
  }
  straightenBends({ spots, columns, trunks }, heights, middles);
  return middles;
}

// Bring the bends of long edges to one height, as far as their columns have room.
function straightenBends({ spots, columns, trunks }, heights, middles) {
  const above = new Map();
  const below = new Map();
  for (const column of columns) {
    for (let i = 0; i + 1 < column.length; i++) {
      above.set(column[i + 1], column[i]);
      below.set(column[i], column[i + 1]);
    }
  }
  const distance = (a, b) => (heights[a] + heights[b]) / 2 + GAP_BELOW;
  function levelOut({ spots: run, low, high }) {
    let total = 0;
    for (const s of run) total += middles[s];
    for (const s of run) middles[s] = Math.max(low, Math.min(high, total / run.length));
  }
  const longestFirst = trunks.slice().sort((a, b) => b[1].length - a[1].length);
  for (const [, passed] of longestFirst) {
    let run = { spots: [], low: -Infinity, high: Infinity };
    for (const s of passed) {
      if (spots[s][0] === "card" || spots[s][0] === "module") continue;
      const low = above.has(s) ? middles[above.get(s)] + distance(above.get(s), s) : -Infinity;
      const high = below.has(s) ? middles[below.get(s)] - distance(below.get(s), s) : Infinity;
      if (run.spots.length && Math.max(low, run.low) > Math.min(high, run.high)) {
        levelOut(run);
        run = { spots: [], low: -Infinity, high: Infinity };
      }
      run.spots.push(s);
      run.low = Math.max(low, run.low);
      run.high = Math.min(high, run.high);
    }
    if (run.spots.length) levelOut(run);
  }
}

// The middles nearest to the wishes that keep the gaps, in this order: heights.py says how.
function spaceOut(heights, wishes, gap, low = -Infinity, high = Infinity) {
  const offsets = [0];
  for (let i = 0; i + 1 < heights.length; i++) {
    offsets.push(offsets[i] + (heights[i] + heights[i + 1]) / 2 + gap);
  }
  const pools = []; // [mean, how many]
  wishes.forEach((wish, i) => {
    let mean = wish - offsets[i];
    let n = 1;
    while (pools.length && pools[pools.length - 1][0] > mean) {
      const [other, k] = pools.pop();
      mean = (mean * n + other * k) / (n + k);
      n += k;
    }
    pools.push([mean, n]);
  });
  const end = high - offsets[offsets.length - 1];
  const flat = pools.flatMap(([mean, n]) => new Array(n).fill(Math.max(low, Math.min(mean, end))));
  return flat.map((mean, i) => mean + offsets[i]);
}
