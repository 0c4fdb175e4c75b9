import { printable } from '../bytes/printable.ts';
import type { LoadRefusal, Roundtrip, RoundtripState } from '../check/roundtrip-result.ts';
import type { RoundtripDiff, RoundtripPartKind } from '../ops/roundtrip.ts';
import { checkText } from './check-text.ts';
import { type DiffTextOptions, differencesText, WIDE } from './diff-text.ts';
import { formatSize } from './size.ts';
import { plainText, type Style } from './style.ts';
import { wrapLine } from './wrap.ts';

/** Which states a part compares, and what it means. */
const HEADINGS: Readonly<Record<RoundtripPartKind, string>> = {
  load: 'lost or changed by a load (A first, B second)',
  'each-load': 'not idempotent: lost or changed by a further load (A second, B third)',
  back: 'not the same there and back (A first, B third)',
  there: 'otherwise in the other QEMU, and back as it was (A first, B second)',
};

/** What came of a roundtrip, line by line without newlines. */
export function* roundtripText(
  { states, diff, refusal }: Roundtrip,
  display: Partial<DiffTextOptions> = {},
): Generator<string> {
  const { style, width } = { ...plainText, width: WIDE, ...display };
  for (const state of states) yield stateText(state, style);
  if (refusal) yield* refusalText(refusal, style);
  if (!diff) return;
  for (const { kind, diff: differences } of diff.parts) {
    yield '';
    yield style.heading(HEADINGS[kind]);
    yield* differencesText(differences, display);
  }
  yield '';
  if (diff.leftOut.length > 0)
    yield* wrapLine(`left out, as clocks and the like: ${diff.leftOut.map(printable).join(', ')}`, width, 2);
  yield verdictText(diff);
}

function stateText({ name, qemu, machineType, sections, size }: RoundtripState, style: Style): string {
  const version = [qemu.version, qemu.package].filter((text) => text !== '').join(' ');
  const facts = [machineType ?? 'no machine type', `${sections} sections`, formatSize(size)];
  return `${style.heading(name.padEnd('second'.length))}  QEMU ${printable(version)}  ${style.faint(printable(facts.join(', ')))}`;
}

function verdictText({ verdict, unchanged: { sections, fields } }: RoundtripDiff): string {
  const same = `${sections} sections unchanged, ${fields} fields the same`;
  if (verdict === 'different') return `not the same after loads; ${same}`;
  return `${verdict === 'same' ? 'no difference' : 'no difference in what could be decoded'}: ${same}`;
}

function* refusalText(refusal: LoadRefusal, style: Style): Generator<string> {
  const { state, message, lines, explained, check } = refusal;
  yield '';
  yield `the ${state} state ${style.error('was not loaded')}: ${printable(message)}`;
  for (const line of lines) yield `  ${style.faint('QEMU:')} ${printable(line)}`;
  const [code] = explained;
  if (code !== undefined) yield `  vmwalk explain ${code} says more`;
  if (!check) return;
  yield '';
  yield* checkText({ ...check, name: 'what check finds' }, { style });
}
