// The lines of a picture and their local derivatives: arrange.py and pills.py in JavaScript.

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

// The path of a line: level pieces, and curves that leave and arrive level.
function routePath(points) {
  let { x, y } = points[0];
  let path = `M${x.toFixed(1)} ${y.toFixed(1)}`;
  points.slice(1).forEach((to, k) => {
    const middle = ((x + to.x) / 2).toFixed(1);
    if (y !== to.y) path += `C${middle} ${y.toFixed(1)} ${middle} ${to.y.toFixed(1)} ${to.x.toFixed(1)} ${to.y.toFixed(1)}`;
    else if (points[k + 2]?.y !== y) path += `H${to.x.toFixed(1)}`; // else the level piece goes on
    ({ x, y } = to);
  });
  return path;
}

// --- Making them ---------------------------------------------------------------------------------

// Make the lines of all links, of which tails and heads are the visible ends; which is drawn for each.
function drawLines(links, paths, tails, heads, lines) {
  const operands = new Map();
  const first = new Map(); // "tail head" to the link that is drawn into a folded module
  const shown = links.map(([tail, head, operand], k) => {
    operands.set(head, Math.max(operands.get(head) ?? 0, operand + 1));
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
    return drawn;
  });
  const end = (k) => lines.turns[lines.last[k]];
  const into = new Map(); // a folded module to the links that are drawn into it
  links.forEach(([, head, operand], k) => {
    if (shown[k] !== k) return;
    if (heads[k].startsWith("card")) {
      const n = operands.get(head); // at its circle the operands arrive in order
      end(k).x -= CIRCLE_EDGE;
      end(k).y += (operand - (n - 1) / 2) * Math.min(18, CIRCLE_SPREAD / Math.max(n - 1, 1));
    } else into.set(heads[k], [...(into.get(heads[k]) ?? []), k]);
  });
  for (const arriving of into.values()) {
    const from = (k) => lines.turns[end(k).before].y;
    arriving.sort((a, b) => from(a) - from(b));
    const n = arriving.length;
    for (const [i, k] of arriving.entries()) end(k).y += (i - (n - 1) / 2) * Math.min(12, 48 / n);
  }
  lines.last = shown.map((s) => lines.last[s] ?? -1);
  return shown;
}

function addTurn(turns, x, y, before) {
  if (turns[before]?.x === x && turns[before].y === y) return before;
  return turns.push({ x, y, before }) - 1;
}

// Go on from a turn (-1: from the tail itself) through a container; the last turn.
function followTrunk({ turns, reached, placed }, c, source, goal, turn) {
  const here = placed.get(c);
  const head = here.number.get(goal);
  const [trunk, length] = here.ways.get(`${source} ${head}`);
  const [start, end] = [trunk[0], head].map((spot) => `${c} ${source} ${spot}`);
  if (reached.has(end)) return reached.get(end);
  if (!reached.has(start)) reached.set(start, []);
  const along = reached.get(start); // the last turn at each spot of the trunk
  while (along.length < length) {
    const spot = trunk[along.length];
    const column = here.columnOf[spot];
    let before = along.length ? along[along.length - 1] : turn;
    let x = here.x + here.lefts[column];
    let y = here.y + here.middles[spot];
    if (!along.length) { // from the end of the tail itself, or on from a port
      x += here.sizes[spot][0];
      y += portOffset(here.spots[spot], "out", source, placed);
      if (turn >= 0) ({ x, y } = turns[turn]);
    }
    before = addTurn(turns, x, y, before);
    along.push(addTurn(turns, here.x + here.rights[column], y, before)); // level across the column
  }
  const y = here.y + here.middles[head] + portOffset(here.spots[head], "in", source, placed);
  const last = addTurn(turns, here.x + here.lefts[here.columnOf[head]], y, along[length - 1]);
  if (!goal.startsWith("card")) reached.set(end, last); // there every line has an end of its own
  return last;
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
    const gap = `${homes[k]} ${here.columnOf[here.number.get(heads[k])]}`;
    if (!gaps.has(gap)) gaps.set(gap, { here, members: [] });
    gaps.get(gap).members.push(k);
  });
  for (const { here, members } of gaps.values()) {
    let middles = pillsApart(members, (k) => pills[k].y, here);
    if (members.some((k) => Math.abs(middles.get(k) - pills[k].y) > PILL_HEIGHT / 2)) {
      middles = pillsApart(members, (k) => lines.turns[lines.last[k]].y, here);
    }
    for (const k of members) pills[k].y = middles.get(k);
  }
  return pills;
}

// Heights of pills that do not overlap and stay within their container.
function pillsApart(members, wish, here) {
  const order = members.slice().sort((a, b) => wish(a) - wish(b) || a - b);
  const [low, high] = [here.y + PILL_HEIGHT / 2, here.y + here.height - PILL_HEIGHT / 2];
  const heights = order.map(() => PILL_HEIGHT);
  const middles = spaceOut(heights, order.map(wish), PILL_GAP, low, high);
  return new Map(order.map((k, i) => [k, middles[i]]));
}
