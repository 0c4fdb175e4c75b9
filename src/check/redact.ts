import { printable } from '../bytes/diagnostic.ts';
import { type Range, totalLength } from '../bytes/range.ts';
import { memorySource } from '../bytes/source.ts';
import { childrenOf } from '../layout/children.ts';
import type { ArrayNode, Layout, LayoutNode } from '../layout/node.ts';
import { layoutOf, type OpenedStream } from '../layout/open.ts';
import { isSameShape } from '../layout/same-shape.ts';
import { GLOBAL_STATE } from '../ops/run-state.ts';
import type { Section } from '../stream/stream.ts';
import { identifyingValues } from './cpu-registers.ts';
import { processorVersionOf } from './ppc-cpu.ts';
import type { Profile } from './profile.ts';
import { redactCommandLine, redactProperties } from './redact-words.ts';

/** idstr of the sections of CPUs' registers. */
const CPU = 'cpu';
/** Infos that describe the device and not what a guest has put into it; rules of `check` read them. */
const STRUCTURE: ReadonlySet<string> = new Set([
  ...['pci config', 'pci capability', 'pci irq state', 'msix state', 'virtio-pci', 'VirtQueue'],
  ...['virtqueue_extra_state', 'subsection header'],
]);
/** An array of bytes of so many, or more, is content. */
const MIN_BYTES = 16;
/** Integers that hold what is typed, sent or received. */
const CONTENT =
  /(?:^|[._])(?:queue|fifo|rx_?fifo|tx_?fifo|read_fifo|keycodes|key|data|obdata|cbdata|buf|buffer|msg|sense|cdb|rbr|thr|tsr|kbd_data|last_?key)$/i;
/** Of CPUs: which registers follow, and a format that must be 0. */
const KEPT: ReadonlySet<string> = new Set(['cpreg_vmstate_indexes', 'env.fpregs_format_vmstate']);
const INTEGER = /^u?int(?:8|16|32|64)$/;
/** How often a section is read again to find what decides about its form. */
const MAX_READINGS = 200;

/** A capture without what is in the guest's registers and buffers. */
export interface RedactedCapture {
  readonly profile: Profile;
  /** How many bytes of its stream are zeros now. */
  readonly bytes: number;
  /** What was left as it is, though it may hold content of the guest: a line each. */
  readonly warnings: readonly string[];
}

/**
 * A capture in which registers of CPUs, queues and buffers are zeros, and secrets of the command line `REDACTED`. Sections
 * keep their form: what decides about it stays. `opened` is its stream. Throws Error of what is no capture.
 */
export async function redactCapture(profile: Profile, opened: OpenedStream): Promise<RedactedCapture> {
  if (profile.kind !== 'capture') throw new Error('only a capture is redacted, and this is a profile');
  const stream = profile.stream.slice();
  const redacted = { ...opened, source: memorySource(stream, opened.source.name), resolved: undefined };
  const ranges: Range[] = [];
  const warnings: string[] = [];
  for (const section of opened.stream.sections) {
    const layout = await layoutOf(opened, section);
    const found = new Content(layout, section);
    const name = `${printable(section.idstr)}@${section.instanceId}`;
    if (found.unreadBytes > 0)
      warnings.push(`${name}: ${found.unreadBytes} bytes that nothing describes are left as they are`);
    const zeroed = await zero(found.ranges, stream, profile.stream, async () => {
      const again = await layoutOf(redacted, section);
      return isSameReading(layout, again);
    });
    const left = totalLength(found.ranges) - totalLength(zeroed);
    if (left > 0)
      warnings.push(`${name}: ${left} bytes are left as they are: how the section is read hangs on them`);
    ranges.push(...zeroed);
  }
  const merged = joined(ranges);
  return {
    profile: {
      ...profile,
      commandLine: redactCommandLine(profile.commandLine),
      devices: redactProperties(profile.devices),
      stream,
      redacted: { ranges: merged.map(({ start, end }) => [start, end] as const) },
    },
    bytes: totalLength(merged),
    warnings,
  };
}

function isSameReading(a: Layout, b: Layout): boolean {
  return b.diagnostics.length <= a.diagnostics.length && isSameShape(a.root, b.root);
}

/** Makes zeros of as many ranges as leave the section readable as before; those that do not are halved. */
async function zero(
  all: readonly Range[],
  stream: Uint8Array,
  original: Uint8Array,
  isReadable: () => Promise<boolean>,
): Promise<Range[]> {
  const done: Range[] = [];
  const waiting: (readonly Range[])[] = all.length > 0 ? [all] : [];
  for (let readings = 0; readings < MAX_READINGS; readings++) {
    const ranges = waiting.pop();
    if (!ranges) break;
    for (const { start, end } of ranges) stream.fill(0, start, end);
    if (await isReadable()) {
      done.push(...ranges);
      continue;
    }
    for (const { start, end } of ranges) stream.set(original.subarray(start, end), start);
    if (ranges.length === 1) continue;
    const half = ranges.length >> 1;
    waiting.push(ranges.slice(half), ranges.slice(0, half));
  }
  return done;
}

/** Ranges in order, those that touch as one. */
function joined(ranges: readonly Range[]): Range[] {
  const result: Range[] = [];
  for (const range of [...ranges].sort((a, b) => a.start - b.start)) {
    const last = result.at(-1);
    if (last && last.end === range.start) result[result.length - 1] = { start: last.start, end: range.end };
    else result.push(range);
  }
  return result;
}

/** Where a section has content of the guest. */
class Content {
  readonly ranges: Range[] = [];
  unreadBytes = 0;
  readonly #isCpu: boolean;
  /** Where registers begin that say which CPU it is. */
  readonly #identity: ReadonlySet<number>;

  constructor({ root }: Layout, { idstr }: Section) {
    this.#isCpu = idstr === CPU;
    const identity = this.#isCpu ? [...identifyingValues(root), processorVersionOf(root)] : [];
    this.#identity = new Set(identity.flatMap((node) => node?.start ?? []));
    if (idstr !== GLOBAL_STATE) this.#visit(root, undefined);
  }

  #visit(node: LayoutNode, parent: LayoutNode | undefined): void {
    if (STRUCTURE.has(node.type)) return;
    if (node.kind === 'gap' || (node.kind === 'leaf' && node.value === null)) {
      this.unreadBytes += node.end - node.start;
    } else if (node.kind === 'leaf') {
      if (
        this.#isContent(node.type, String(node.name)) &&
        !(parent?.type === 'virtio' && node.name === 'config')
      )
        this.#add(node);
    } else if (node.kind === 'array') this.#visitArray(node);
    else for (const child of node.children) this.#visit(child, node);
  }

  #visitArray(node: ArrayNode): void {
    const [first] = childrenOf(node);
    if (first?.kind !== 'leaf') {
      for (const child of childrenOf(node)) this.#visit(child, node);
      return;
    }
    const isBytes = /^u?int8$/.test(first.type) && node.length >= MIN_BYTES;
    if (!isBytes && !this.#isContent(first.type, String(node.name))) return;
    if (this.#identity.size === 0) this.#add(node);
    else for (const child of childrenOf(node)) if (!this.#identity.has(child.start)) this.#add(child);
  }

  #isContent(type: string, name: string): boolean {
    if (type === 'buffer' || type === 'unused_buffer') return true;
    if (this.#isCpu) return !/ (?:equal|le)$|^bool$/.test(type) && !KEPT.has(name);
    return INTEGER.test(type) && CONTENT.test(name);
  }

  #add({ start, end }: Range): void {
    if (end > start) this.ranges.push({ start, end });
  }
}
