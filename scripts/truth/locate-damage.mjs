/**
 * Damage to a stream, named by what is damaged and kept as the bytes that change.
 */

import { walk } from '../../dist/index.js';
import { layouts } from '../../dist/layout/open.js';
import { openBytes } from './open-bytes.mjs';

/**
 * A place in a stream: a record, or a field of one. Without `part` and `field` it is the record's first byte.
 *
 * @typedef {object} Place
 * @property {string} record  `header`, `configuration`, `eof`, `vmdesc`, a command's name, the idstr of a section, or its
 *   end (`virtio-blk` for `0000:00:01.0/virtio-blk`).
 * @property {number} [instance]  Instance id of the section; any without.
 * @property {number} [nth]     Which of the section's records (of RAM: START, PART, END); 0 without.
 * @property {"id" | "idstr" | "instance" | "version" | "body" | "footer" | "end"} [part]  Of a section: a field of its
 *   header, or where its body, its footer, or what is behind it begins.
 * @property {string} [field]   Components of a path with `/` between them; the first field whose path ends so.
 * @property {number} [fraction]  How far inside the section's body, of 0 to 1.
 * @property {number} [plus]    Bytes behind all that.
 */

/**
 * One change. `set` and `xor` replace bytes by as many; `remove` with a place takes out all up to there.
 *
 * @typedef {{ at: Place } & ({ set: string } | { xor: string } | { insert: string } | { cut: true }
 *   | { remove: number | Place } | { duplicate: Place })} Damage
 */

/**
 * @param {Uint8Array} stream
 * @param {Damage[]} damages  Of places in ascending order.
 * @returns {Promise<import("./splices.mjs").Splice[]>}
 */
export async function locateDamage(stream, damages) {
  const opened = await openBytes(stream);
  /** @type {import("./splices.mjs").Splice[]} */
  const splices = [];
  for (const damage of damages) {
    const at = await offsetOf(opened, damage.at);
    if ('set' in damage) splices.push({ at, remove: damage.set.length / 2, insert: damage.set });
    else if ('xor' in damage) {
      const mask = Buffer.from(damage.xor, 'hex');
      const bytes = mask.map((bits, index) => bits ^ (stream[at + index] ?? 0));
      splices.push({ at, remove: bytes.length, insert: Buffer.from(bytes).toString('hex') });
    } else if ('insert' in damage) splices.push({ at, remove: 0, insert: damage.insert });
    else if ('cut' in damage) splices.push({ at, remove: stream.length - at });
    else if ('remove' in damage) {
      const { remove } = damage;
      splices.push({
        at,
        remove: typeof remove === 'number' ? remove : (await offsetOf(opened, remove)) - at,
      });
    } else splices.push({ at, remove: 0, copy: [at, await offsetOf(opened, damage.duplicate)] });
  }
  return splices;
}

/**
 * @param {import("../../dist/index.js").OpenedStream} opened
 * @param {Place} place
 */
async function offsetOf(opened, place) {
  const { plus = 0 } = place;
  if (place.field !== undefined) return (await fieldStart(opened, place)) + plus;
  const record = opened.stream.records.find(
    (candidate) =>
      (candidate.kind === 'vmdescription' ? 'vmdesc' : candidate.kind) === place.record ||
      (candidate.kind === 'command' && candidate.name === place.record),
  );
  if (record) {
    if (place.part === 'end') return record.range.end + plus;
    return record.range.start + plus;
  }
  const { records, idstr } = sectionOf(opened, place);
  const section = records[place.nth ?? 0];
  if (section === undefined) throw new Error(`${place.record} has no record ${place.nth}`);
  const { range, body, footer } = section;
  if (place.fraction !== undefined) return body.start + Math.floor(place.fraction * (body.end - body.start));
  const parts = {
    id: range.start + 1,
    idstr: range.start + 6,
    instance: range.start + 6 + idstr.length,
    version: range.start + 10 + idstr.length,
    body: body.start,
    footer: footer?.start ?? range.end,
    end: range.end,
  };
  return (place.part === undefined ? range.start : parts[place.part]) + plus;
}

/**
 * @param {import("../../dist/index.js").OpenedStream} opened
 * @param {Place} place
 */
function sectionOf(opened, { record, instance }) {
  const section = opened.stream.sections.find(
    ({ idstr, instanceId }) =>
      (idstr === record || idstr.endsWith(`/${record}`)) &&
      (instance === undefined || instance === instanceId),
  );
  if (section === undefined) throw new Error(`the stream has no ${record}`);
  return section;
}

/**
 * @param {import("../../dist/index.js").OpenedStream} opened
 * @param {Place} place
 */
async function fieldStart(opened, place) {
  const { field = '' } = place;
  const section = place.record === 'configuration' ? undefined : sectionOf(opened, place);
  for await (const layout of layouts(opened)) {
    const isIt = section
      ? layout.section === section.idstr && layout.instanceId === section.instanceId
      : layout.section === 'configuration';
    if (!isIt) continue;
    for (const { node, path } of walk(layout.root)) {
      const text = path.join('/');
      if (text === field || text.endsWith(`/${field}`)) return node.start;
    }
  }
  throw new Error(`${place.record} has no field ${field}`);
}
