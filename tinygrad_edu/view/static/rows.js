// Wide containers in rows, one below the other: rows.py in JavaScript.

const MOST_LANES = 8;
const LANE = 8;
const TURN = 12;
const BETWEEN = 18;

// For each column the lines that come from the one before: [number of a trunk, spot there].
function crossingLines({ columns, trunks }, columnOf) {
  const crossing = columns.map(() => []);
  trunks.forEach(([, trunk], t) => {
    for (let i = 1; i < trunk.length; i++) crossing[columnOf[trunk[i]]].push([t, trunk[i - 1]]);
  });
  return crossing;
}

// The first column of each row, such that no row is wider than room, and all about as wide.
function firstColumns({ spots, columns }, crossing, rights, room) {
  const has = (i, kind) => columns[i].some((s) => spots[s][0] === kind);
  const counts = crossing.map((lines) => lines.length);
  const starts = [...columns.keys()].filter((i) => i > 0 && counts[i] <= MOST_LANES && !has(i - 1, "in") && !has(i, "out"));
  const firsts = fillRows(starts, counts, rights, room);
  for (const part of [0.6, 0.7, 0.8, 0.9]) {
    const narrower = fillRows(starts, counts, rights, part * room);
    if (narrower.length === firsts.length) return narrower;
  }
  return firsts;
}

function fillRows(starts, counts, rights, room) {
  const firsts = [0];
  while (rights.length) {
    const start = firsts[firsts.length - 1];
    const origin = start ? rights[start - 1] - TURN - LANE * counts[start] : 0;
    const later = starts.filter((i) => i > start);
    if (rights[rights.length - 1] - origin <= room || !later.length) break;
    let ends = later.filter((i) => rights[i - 1] - origin + TURN + LANE * counts[i] <= room);
    if (!ends.length) ends = later.slice(0, 1); // what stands in one column may be too wide
    const late = ends.filter((i) => 2 * (i - start) > ends[ends.length - 1] - start);
    firsts.push(late.reduce((best, i) => (counts[i] <= counts[best] ? i : best)));
  }
  return firsts;
}

// Move columns and the middles of their spots into rows; all but the first begin at indent.
function stackRows({ columns, trunks }, firsts, crossing, { lefts, rights }, heights, middles, port, indent) {
  const inLine = rights.slice();
  const rows = { rowOf: rights.map(() => 0), tops: [], bottoms: [], width: 0, lanes: new Map() };
  firsts.forEach((first, r) => {
    const end = firsts[r + 1] ?? rights.length;
    const above = rows.bottoms[r - 1];
    let [start, shift] = [0, 0];
    if (r) {
      const n = crossing[first].length;
      const base = indent + TURN + LANE * n;
      start = above + 2 * BETWEEN + LANE * Math.max(n - 1, 0);
      shift = base - inLine[first - 1];
      const lines = crossing[first].map(([t, spot]) => [-middles[spot] - port(spot, "out", trunks[t][0]), t]);
      lines.sort((a, b) => a[0] - b[0] || a[1] - b[1]); // the lowest line has the highest lane
      for (const [k, [, t]] of lines.entries()) {
        const right = rights[first - 1] + TURN + LANE * k;
        rows.lanes.set(`${first} ${t}`, { right, y: above + BETWEEN + LANE * k, left: base - TURN - LANE * (n - 1 - k), base });
        rows.width = Math.max(rows.width, right + TURN);
      }
    }
    const own = columns.slice(first, end).flat();
    let [top, bottom] = own.length ? [Infinity, -Infinity] : [0, 0];
    for (const s of own) {
      top = Math.min(top, middles[s] - heights[s] / 2);
      bottom = Math.max(bottom, middles[s] + heights[s] / 2);
    }
    rows.tops.push(start);
    rows.bottoms.push(start + (bottom - top));
    for (const s of own) middles[s] = middles[s] - top + start;
    for (let i = first; i < end; i++) {
      rows.rowOf[i] = r;
      lefts[i] += shift;
      rights[i] += shift;
    }
    rows.width = Math.max(rows.width, rights[end - 1] ?? 0);
  });
  return rows;
}
