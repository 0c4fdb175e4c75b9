/** Compares the device state of two streams, value by value. */

import { createHash } from 'node:crypto';
import { armRegisterName } from '../../dist/check/arm-registers.js';
import { walk } from '../../dist/index.js';
import { openBytes } from './open-bytes.mjs';

/** Elements of an array that are values of their own; a longer one is one value. */
const MAX_ELEMENTS = 4096;
/** System registers of an Arm CPU: a sorted list of numbers and one of values. */
const REGISTERS = /** @type {const} */ ({
  length: 'cpreg_vmstate_array_len',
  numbers: 'cpreg_vmstate_indexes',
  values: 'cpreg_vmstate_values',
});
const UNUSED = /^unused/;

/**
 * @typedef {object} Value
 * @property {string} section
 * @property {number} instanceId
 * @property {(string | number)[]} path
 * @property {string | undefined} register  Its name.
 * @property {boolean} isUnused     Nobody loads it.
 * @property {string} text
 * @property {number} at      Bytes from the beginning of the section's state.
 * @property {Uint8Array} bytes
 */

/**
 * All values of the sections that a stream has, by section and path.
 *
 * @param {Uint8Array} stream
 * @returns {Promise<Map<string, Value>>}
 */
export async function valuesOf(stream) {
  /** @type {Map<string, Value>} */
  const values = new Map();
  const vm = await openBytes(stream);
  const isWhole = (/** @type {import("../../dist/index.js").LayoutNode} */ node) =>
    node.kind === 'array' && node.length > MAX_ELEMENTS;
  for await (const { section, instanceId, root } of vm.layouts()) {
    /** @type {string[]} */
    const registers = [];
    for (const { node, path } of walk(root, (each) => !isWhole(each))) {
      if (
        node.type === 'subsection header' ||
        (node.kind !== 'leaf' && node.kind !== 'gap' && !isWhole(node))
      )
        continue;
      const bytes = stream.subarray(node.start, node.end);
      const text =
        node.kind === 'leaf' ? textOf(node.value) : createHash('sha256').update(bytes).digest('hex');
      const at = node.start - root.start;
      if (path[0] === REGISTERS.numbers) registers.push(text);
      if (path[0] === REGISTERS.length || path[0] === REGISTERS.numbers) continue;
      // A value of a register is that of the same register, wherever it stands.
      const index = path[0] === REGISTERS.values ? registers[Number(path[1] ?? 0)] : undefined;
      const register = index && armRegisterName(BigInt(index));
      const isUnused = UNUSED.test(node.type);
      const place = index === undefined ? path : [REGISTERS.values, `register ${index}`];
      values.set(keyOf(section, instanceId, place), {
        section,
        instanceId,
        path: [...path],
        register,
        isUnused,
        text,
        at,
        bytes,
      });
    }
  }
  return values;
}

/** @param {string} section @param {number} instanceId @param {readonly (string | number)[]} path */
export function keyOf(section, instanceId, path) {
  return `${section}@${instanceId}/${path.join('/')}`;
}

/**
 * What a value is, of whichever device and element: `e1000e/tx/ctx`.
 *
 * @param {Pick<Value, 'section' | 'path'>} value
 */
export function fieldOf({ section, path }) {
  const device = section.slice(section.lastIndexOf('/') + 1);
  return [device, ...path.filter((part) => typeof part !== 'number')].join('/');
}

/**
 * Values of one stream that another does not have: neither at the same path, nor under the same name at one that the first
 * does not have, nor at the same place under another name. `isGivenUp` where the other has nothing but filler there.
 *
 * @param {ReadonlyMap<string, Value>} one
 * @param {ReadonlyMap<string, Value>} other
 * @returns {(Value & { now: string | undefined, isGivenUp: boolean })[]}
 */
export function otherValues(one, other) {
  const renamed = new Set();
  /** @type {Map<string, Value>} */
  const places = new Map();
  for (const [key, value] of other) {
    if (!one.has(key) || value.register !== undefined) renamed.add(nameKey(value));
    places.set(placeKey(value), value);
  }
  return [...one].flatMap(([key, value]) => {
    // What is one value here can be an array of several there.
    const now = (other.get(key) ?? other.get(`${key}/0`))?.text;
    if (value.isUnused || now === value.text) return [];
    const there = value.register === undefined ? places.get(placeKey(value)) : undefined;
    if (now === undefined) {
      // Of what is not sent, nothing is lost that is zero.
      if (value.bytes.every((byte) => byte === 0)) return [];
      if (renamed.has(nameKey(value))) return [];
      if (there && Buffer.compare(there.bytes, value.bytes) === 0) return [];
    }
    return [{ ...value, now, isGivenUp: now === undefined && there?.isUnused === true }];
  });
}

/** A register without its encoding. @param {string} register */
export function plainName(register) {
  return register.replace(/ \(.*$/, '');
}

/** @param {Value} value */
function nameKey({ section, instanceId, path, register, text }) {
  // One of 32 bits can stand for one of 64.
  if (register !== undefined) return `${keyOf(section, instanceId, [plainName(register)])} ${text}`;
  return `${keyOf(section, instanceId, path.slice(-1))} ${path.filter((part) => typeof part === 'number').join('/')} ${text}`;
}

/** @param {Value} value */
function placeKey({ section, instanceId, at }) {
  return keyOf(section, instanceId, [at]);
}

/** @param {unknown} value */
function textOf(value) {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  // It is a number in some versions.
  return String(typeof value === 'boolean' ? Number(value) : value);
}
