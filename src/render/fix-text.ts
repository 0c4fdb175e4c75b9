import { formatPath, printable } from '../bytes/diagnostic.ts';
import { countFindings } from '../check/finding.ts';
import type { FixChange, FixClass } from '../fix/change.ts';
import type { FixResult } from '../fix/fix.ts';
import { childrenOf } from '../layout/children.ts';
import type { LayoutNode } from '../layout/node.ts';
import { checkText, findingPlace } from './check-text.ts';
import { valueText } from './dump-text.ts';
import { valueJson } from './ndjson.ts';
import { plainStyle, type Style } from './style.ts';
import { hexBytes } from './value.ts';

/** Values of a change that are shown to people. */
const SHOWN = 12;
/** Elements of an array that are told of. */
const MAX_ELEMENTS = 4096;

/** What was changed so that a destination accepts a stream, or would have to be, for people. */
export function* fixText(
  { changes, refused, report }: FixResult,
  { style = plainStyle }: { readonly style?: Style } = {},
): Generator<string> {
  for (const change of changes) {
    const place = findingPlace(change);
    yield `${className(change.class, style)} ${style.name(change.rule)}${place === '' ? '' : `  ${place}`}`;
    yield `    ${printable(change.message)}`;
    yield* lostText(change);
    yield* takenText(change);
    if (refused.includes(change))
      yield `    ${style.warning('not allowed:')} ${printable(howToAllow(change))}`;
    yield '';
  }
  const [heading, ...findings] = checkText(report, { style });
  yield changes.length === 0 ? heading! : `${heading}, with ${countText(changes.length, 'change')}`;
  yield* findings;
  if (report.verdict === 'will be rejected')
    yield `\nnothing helps against ${countText(countFindings(report, 'blocks'), 'finding')}: nothing is written`;
  else if (report.verdict === 'cannot tell') yield '\nwithout knowing that it is accepted nothing is written';
  else if (refused.length > 0)
    yield `\n${countText(refused.length, 'change')} ${refused.length === 1 ? 'is' : 'are'} not allowed: nothing is written`;
}

function countText(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

function className(of: FixClass, style: Style): string {
  if (of === 'refuse') return style.error(`${of}:`);
  return of === 'loses' ? style.warning(`${of}:`) : style.faint(`${of}:`);
}

/** What stands in the place of a change, or makes it. */
function howToAllow({ class: of, rule, instead }: FixChange): string {
  if (instead !== undefined) return `better is ${instead}; --allow ${rule} makes the change`;
  return of === 'loses'
    ? `--allow loses or --allow ${rule} makes the change`
    : `--allow ${rule} makes the change`;
}

function* lostText({ lost, lostCount }: FixChange): Generator<string> {
  // What is 0 tells little.
  const told = lost.filter(({ node }) => !isZero(node));
  for (const { path, name, node } of told.slice(0, SHOWN))
    yield `    lost: ${printable(name ?? formatPath(path))}  ${lostValueText(node)}`;
  const more = told.length - SHOWN;
  const zeros = lost.length - told.length;
  const unlisted = lostCount - lost.length;
  if (more > 0) yield `    lost: ${more} more`;
  if (zeros > 0)
    yield `    lost: ${zeros} ${told.length > 0 ? 'others ' : ''}that ${zeros === 1 ? 'is' : 'are'} all zero`;
  if (unlisted > 0) yield `    lost: ${unlisted} that are not listed`;
}

function* takenText({ taken, takenCount }: FixChange): Generator<string> {
  if (taken.length === 0) return;
  const names = taken.slice(0, SHOWN).map((path) => printable(formatPath(path)));
  yield `    as the destination has it: ${names.join(', ')}${takenCount > SHOWN ? ` and ${takenCount - SHOWN} more` : ''}`;
}

function lostValueText(node: LayoutNode): string {
  if (node.kind === 'leaf') return valueText(node, false);
  if (node.kind === 'array') {
    const values = leavesOf(node).map((leaf) => valueText(leaf, false));
    return `${values.slice(0, SHOWN).join(' ')}${node.length > SHOWN ? ` … ${node.length - SHOWN} more` : ''}`;
  }
  const { value } = node;
  if (value === undefined) return `${node.end - node.start} bytes`;
  return `${hexBytes(value.subarray(0, SHOWN))}${value.byteLength > SHOWN ? ` … ${value.byteLength - SHOWN} more bytes` : ''}`;
}

function leavesOf(node: LayoutNode & { kind: 'array' }): (LayoutNode & { kind: 'leaf' })[] {
  const leaves: (LayoutNode & { kind: 'leaf' })[] = [];
  for (const child of childrenOf(node)) {
    if (leaves.length === MAX_ELEMENTS) break;
    if (child.kind === 'leaf') leaves.push(child);
  }
  return leaves;
}

function isZero(node: LayoutNode): boolean {
  if (node.kind === 'array') return node.length <= MAX_ELEMENTS && leavesOf(node).every(isZero);
  const { value } = node;
  if (value instanceof Uint8Array) return value.every((byte) => byte === 0);
  return value === 0 || value === 0n || value === false;
}

/** The same as data: what goes into a file beside what was written. */
export function fixJson({ changes, refused, report, source }: FixResult) {
  const { name, verdict, reason, findings } = report;
  return {
    name,
    verdict,
    ...(reason === undefined ? {} : { reason }),
    isWritten: source !== undefined,
    changes: changes.map((change) => ({
      ...change,
      isAllowed: !refused.includes(change),
      lost: change.lost.map(({ path, name: register, node }) => ({
        path,
        name: register,
        type: node.type,
        ...(node.kind === 'array' ? { length: node.length } : {}),
        value: lostValueJson(node),
      })),
    })),
    findings,
  };
}

function lostValueJson(node: LayoutNode): unknown {
  if (node.kind === 'array') return leavesOf(node).map((leaf) => JSON.parse(valueJson(leaf.value)));
  return JSON.parse(valueJson(node.value));
}
