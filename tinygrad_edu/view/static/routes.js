// The lines of a picture and their local derivatives: routes.py and pills.py in JavaScript.

const CORNER = 6; // of a line on its way to another row

// The points of the line of a link, from the last one that is drawn already.
function linePoints({ turns, last }, link, drawn = new Set()) {
  const points = [];
  for (let turn = last[link]; turn >= 0; turn = turns[turn].before) {
    points.push(turns[turn]);
    if (drawn.has(turn)) break;
    drawn.add(turn);
  }
  return points.reverse();
}

// The path of a line: level pieces, curves that leave and arrive level, and on the way to another
// row pieces straight down, with round corners.
function routePath(points) {
  let { x, y } = points[0];
  let path = `M${x.toFixed(1)} ${y.toFixed(1)}`;
  points.slice(1).forEach((to, k) => {
    const next = points[k + 2];
    const [x1, y1] = [to.x.toFixed(1), to.y.toFixed(1)];
    if (x === to.x && y !== to.y) {
      const r = Math.min(CORNER, Math.abs(to.y - y) / 2) * Math.sign(to.y - y);
      const on = to.x + CORNER * Math.sign((next ?? to).x - to.x);
      path += `Q${x1} ${y.toFixed(1)} ${x1} ${(y + r).toFixed(1)}V${(to.y - r).toFixed(1)}Q${x1} ${y1} ${on.toFixed(1)} ${y1}`;
    } else if (y !== to.y) {
      const middle = ((x + to.x) / 2).toFixed(1);
      path += `C${middle} ${y.toFixed(1)} ${middle} ${y1} ${x1} ${y1}`;
    } else if (next && next.x === to.x && next.y !== y) path += `H${(to.x - CORNER * Math.sign(to.x - x)).toFixed(1)}`;
    else if (next?.y !== y) path += `H${x1}`; // else the level piece goes on
    ({ x, y } = to);
  });
  return path;
}

// --- Making them ---------------------------------------------------------------------------------

// Make the lines of all links, of which tails and heads are the visible ends; which is drawn for each.
function drawLines(links, paths, tails, heads, lines) {
  const first = new Map(); // "tail head" to the link that is drawn into a folded module
  const into = new Map(); // a card or a folded module to the links that are drawn into it
  const shown = links.map(([tail, head], k) => {
    let drawn = tails[k] === heads[k] ? -1 : k;
    if (drawn >= 0 && heads[k].startsWith("module")) {
      const pair = `${tails[k]} ${heads[k]}`;
      if (!first.has(pair)) first.set(pair, k);
      drawn = first.get(pair);
    }
    let turn = -1;
    for (const [c, goal] of drawn === k ? linkStages(tail, head, paths) : []) {
      if (lines.placed.has(c)) turn = followTrunk(lines, c, tail, goal, turn);
    }
    lines.last.push(turn);
    if (drawn === k) into.set(heads[k], [...(into.get(heads[k]) ?? []), k]);
    return drawn;
  });
  const end = (k) => lines.turns[lines.last[k]];
  for (const [key, arriving] of into) {
    const isCard = key.startsWith("card"); // at its circle the operands arrive in order
    const place = isCard ? (k) => links[k][2] : (k) => lines.turns[end(k).before].y;
    arriving.sort((a, b) => place(a) - place(b));
    const n = arriving.length;
    const apart = isCard ? Math.min(18, CIRCLE_SPREAD / Math.max(n - 1, 1)) : Math.min(12, 48 / n);
    for (const [i, k] of arriving.entries()) {
      end(k).y += (i - (n - 1) / 2) * apart;
      if (isCard) end(k).x -= CIRCLE_EDGE;
    }
  }
  lines.last = shown.map((s) => lines.last[s] ?? -1);
  return shown;
}

function addTurn(turns, x, y, before) {
  if (turns[before]?.x === x && turns[before].y === y) return before;
  return turns.push({ x, y, before }) - 1;
}

// Go on from a turn (-1: from the tail itself) through a container; the last turn.
function followTrunk(lines, c, source, goal, turn) {
  const { turns, reached, placed } = lines;
  const here = placed.get(c);
  const head = here.number.get(goal);
  const [t, trunk, length] = here.ways.get(`${source} ${head}`);
  const end = `${c} ${t} end ${head}`;
  if (reached.has(end)) return reached.get(end);
  if (!reached.has(`${c} ${t}`)) reached.set(`${c} ${t}`, []);
  const along = reached.get(`${c} ${t}`); // the last turn at each spot of the trunk
  while (along.length < length) {
    const spot = trunk[along.length];
    const column = here.columnOf[spot];
    let before = turn; // on from a port
    if (along.length) before = enterColumn(lines, c, t, column, here.y + here.middles[spot], along[along.length - 1]);
    else if (turn < 0) { // from the end of the tail itself
      const y = here.y + here.middles[spot] + portOffset(here.spots[spot], "out", source, placed);
      before = addTurn(turns, here.x + here.lefts[column] + here.sizes[spot][0], y, turn);
    }
    along.push(addTurn(turns, here.x + here.rights[column], turns[before].y, before)); // level across
  }
  const y = here.y + here.middles[head] + portOffset(here.spots[head], "in", source, placed);
  const last = enterColumn(lines, c, t, here.columnOf[head], y, along[length - 1]);
  if (!goal.startsWith("card")) reached.set(end, last); // there every line has an end of its own
  return last;
}

// Go on to a height in the next column, which may begin a row; the turn there.
function enterColumn({ turns, reached, placed }, c, t, column, y, from) {
  const here = placed.get(c);
  const lane = here.rows.lanes.get(`${column} ${t}`);
  let before = from;
  if (lane) {
    const way = `${c} ${t} lane ${column}`;
    if (!reached.has(way)) {
      const level = turns[before].y;
      for (const [x, to] of [[lane.right, level], [lane.right, here.y + lane.y], [lane.left, here.y + lane.y]]) {
        before = addTurn(turns, here.x + x, to, before);
      }
      reached.set(way, before);
    }
    if (!reached.has(`${way} ${y}`)) {
      const down = addTurn(turns, here.x + lane.left, y, reached.get(way));
      reached.set(`${way} ${y}`, addTurn(turns, here.x + lane.base, y, down));
    }
    before = reached.get(`${way} ${y}`);
  }
  return addTurn(turns, here.x + here.lefts[column], y, before);
}

function placePills(heads, homes, lines, hasPill) {
  const pills = heads.map(() => null);
  const gaps = new Map();
  lines.last.forEach((last, k) => {
    if (!hasPill[k]) return;
    const to = lines.turns[last];
    const from = lines.turns[to.before];
    const isCard = heads[k].startsWith("card");
    pills[k] = isCard ? { x: (from.x + to.x) / 2, y: (from.y + to.y) / 2 } : { x: to.x - BEFORE_MODULE, y: to.y };
    const here = lines.placed.get(homes[k]);
    const column = here.columnOf[here.number.get(heads[k])];
    const gap = `${homes[k]} ${column}`;
    if (!gaps.has(gap)) gaps.set(gap, { here, row: here.rows.rowOf[column], members: [] });
    gaps.get(gap).members.push(k);
  });
  for (const { here, row, members } of gaps.values()) {
    let middles = pillsApart(members, (k) => pills[k].y, here, row);
    if (members.some((k) => Math.abs(middles.get(k) - pills[k].y) > PILL_HEIGHT / 2)) {
      middles = pillsApart(members, (k) => lines.turns[lines.last[k]].y, here, row);
    }
    for (const k of members) pills[k].y = middles.get(k);
  }
  return pills;
}

// Heights of pills that do not overlap and stay within their row.
function pillsApart(members, wish, { y, rows }, row) {
  const order = members.slice().sort((a, b) => wish(a) - wish(b) || a - b);
  const [low, high] = [y + rows.tops[row] + PILL_HEIGHT / 2, y + rows.bottoms[row] - PILL_HEIGHT / 2];
  const heights = order.map(() => PILL_HEIGHT);
  const middles = spaceOut(heights, order.map(wish), PILL_GAP, low, high);
  return new Map(order.map((k, i) => [k, middles[i]]));
}
