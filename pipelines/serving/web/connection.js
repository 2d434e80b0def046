/** The line from a key to its value: between their nearest edges, and beside the words that stand between them. */

const CROSSED = 10; // what a stretch through a word costs, against the same stretch over empty paper
const BEND = 12; // what a bend costs, in thousandths of the page's width
const INSET = 10; // how far from a corner a line may begin
const SLANTED = 1.3; // what a slanted stretch costs, against an upright or level one
const ASIDE = [9, 5]; // how far beside its boxes a bracket runs, horizontally and vertically
const SHARES = [0.5, 0.2, 0.8];
const MAX_NEAR = 500; // words between a key and its value, up to which the line goes around them

/**
 * Points `[[x, y], ...]` of the line, in thousandths of the page; empty if key and value touch.
 *
 * `keys` and `values` are the boxes of their lines, `words` the boxes to stay clear of but for those with the indices
 * `own`, `aspect` the page's height by its width.
 */
export function connection(keys, values, words, aspect, own = []) {
  const [key, value] = nearest(keys, values, aspect);
  const frame = hull([key, value]).map((side, index) => side + (index < 2 ? -1 : 1) * 2 * ASIDE[index % 2]);
  const free = new Set(own);
  const near = words.filter((box, index) => overlap(box, frame, 0) > 0 && overlap(box, frame, 1) > 0 && !free.has(index));
  const around = near.length <= MAX_NEAR ? near : [];
  let best = [];
  let least = Infinity;
  for (const points of routes(key, value)) {
    const price = cost(points, around, aspect);
    if (price < least) [best, least] = [points, price];
  }
  return best;
}

function nearest(keys, values, aspect) {
  const distance = (key, value) => Math.hypot(gap(key, value, 0), aspect * gap(key, value, 1));
  const all = keys.flatMap((key) => values.map((value) => [key, value]));
  return all.reduce((best, both) => (distance(...both) < distance(...best) ? both : best));
}

/** Straight lines, and brackets around what is between, if the boxes share rows or columns; else lines with up to two bends. */
function routes(key, value) {
  const [apartX, apartY] = [gap(key, value, 0) > 0, gap(key, value, 1) > 0];
  if (!apartX && !apartY) return [];
  const [keyX, valueX] = facing(key, value, 0);
  const [keyY, valueY] = facing(key, value, 1);
  if (!apartY) return [...shared(key, value, 1).map((y) => [[keyX, y], [valueX, y]]), ...brackets(key, value, 1)];
  if (!apartX) return [...shared(key, value, 0).map((x) => [[x, keyY], [x, valueY]]), ...brackets(key, value, 0)];
  const [middleKey, middleValue] = [(key[1] + key[3]) / 2, (value[1] + value[3]) / 2];
  const [insideKey, insideValue] = [inset(key, keyX), inset(value, valueX)];
  return [
    [[keyX, keyY], [valueX, valueY]],
    [[keyX, middleKey], [insideValue, middleKey], [insideValue, valueY]],
    [[insideKey, keyY], [insideKey, middleValue], [valueX, middleValue]],
    ...SHARES.map((share) => keyX + share * (valueX - keyX)).map((x) => [[keyX, middleKey], [x, middleKey], [x, middleValue], [valueX, middleValue]]),
    ...SHARES.map((share) => keyY + share * (valueY - keyY)).map((y) => [[insideKey, keyY], [insideKey, y], [insideValue, y], [insideValue, valueY]]),
  ];
}

/** The two edges that face each other along an axis. */
function facing(key, value, axis) {
  return key[axis + 2] <= value[axis] ? [key[axis + 2], value[axis]] : [key[axis], value[axis + 2]];
}

/** Positions along an axis at which both boxes are. */
function shared(key, value, axis) {
  const first = Math.max(key[axis], value[axis]);
  const last = Math.min(key[axis + 2], value[axis + 2]);
  const shares = axis === 0 ? [Math.min(0.5, INSET / Math.max(1, last - first)), ...SHARES] : SHARES;
  return shares.map((share) => first + share * (last - first));
}

/** Lines that leave both boxes on the same side, at positions along `axis` before and after them. */
function brackets(key, value, axis) {
  const [before, after] = [Math.min(key[axis], value[axis]) - ASIDE[axis], Math.max(key[axis + 2], value[axis + 2]) + ASIDE[axis]];
  const middle = (box) => (box[1 - axis] + box[3 - axis]) / 2;
  const bracket = (side, lane) => {
    const points = [[key[side], middle(key)], [lane, middle(key)], [lane, middle(value)], [value[side], middle(value)]];
    return axis === 0 ? points : points.map(([y, x]) => [x, y]);
  };
  return [bracket(axis, before), bracket(axis + 2, after)];
}

/** A position in a box near its vertical edge at `x`. */
function inset(box, x) {
  const step = Math.min(INSET, (box[2] - box[0]) / 2);
  return x === box[2] ? x - step : x + step;
}

function cost(points, words, aspect) {
  let price = BEND * (points.length - 2);
  for (let index = 1; index < points.length; index += 1) {
    const [from, to] = [points[index - 1], points[index]];
    const inside = words.reduce((sum, box) => sum + shareInside(from, to, box), 0);
    const length = Math.hypot(to[0] - from[0], aspect * (to[1] - from[1]));
    price += length * (1 + CROSSED * inside) * (to[0] === from[0] || to[1] === from[1] ? 1 : SLANTED);
  }
  return price;
}

/** The share of a stretch that is in a box, 0 to 1. */
function shareInside(from, to, box) {
  let [first, last] = [0, 1];
  for (const axis of [0, 1]) {
    const step = to[axis] - from[axis];
    if (step === 0) {
      if (from[axis] <= box[axis] || from[axis] >= box[axis + 2]) return 0;
      continue;
    }
    const ends = [(box[axis] - from[axis]) / step, (box[axis + 2] - from[axis]) / step];
    first = Math.max(first, Math.min(...ends));
    last = Math.min(last, Math.max(...ends));
  }
  return Math.max(0, last - first);
}

function gap(one, other, axis) {
  return Math.max(0, -overlap(one, other, axis));
}

function overlap(one, other, axis) {
  return Math.min(one[axis + 2], other[axis + 2]) - Math.max(one[axis], other[axis]);
}

function hull(boxes) {
  return [0, 1, 2, 3].map((side) => (side < 2 ? Math.min : Math.max)(...boxes.map((box) => box[side])));
}
