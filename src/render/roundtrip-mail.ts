import type { LoadRefusal, Roundtrip } from '../check/roundtrip-result.ts';
import type { RoundtripPartKind } from '../ops/roundtrip.ts';
import { findingPlace } from './check-text.ts';
import { differenceLines } from './diff-mail.ts';
import { mailLines } from './mail.ts';

const HEADINGS: Readonly<Record<RoundtripPartKind, string>> = {
  load: 'Lost or changed by a load (- saved, + saved again):',
  'each-load': 'Changed by each load, not idempotent (- saved, + saved again):',
  back: 'Not the same there and back (- saved, + saved again):',
  there: 'Otherwise in the other QEMU, and back as it was (- first, + other):',
};

/** What came of a roundtrip, for a mail with a patch: without what hangs on the time at which it was made. */
export function* roundtripMail(trip: Roundtrip): Generator<string> {
  yield* mailLines(linesOf(trip));
}

function* linesOf({ states, diff, refusal, verdict }: Roundtrip): Generator<string> {
  const [first, second] = states;
  const machine = first?.machineType ?? 'no machine type';
  const versions = [...new Set(states.map(({ qemu }) => qemu.version))];
  const way = `QEMU ${versions.join(' -> ')}${second && versions.length > 1 ? ' and back' : ''}`;
  if (verdict === 'same') {
    yield `Roundtrip: no change, ${way}, ${machine}, ${diff!.unchanged.sections} sections.`;
    return;
  }
  yield `Roundtrip of ${machine}, ${way}:`;
  if (refusal) yield* refusalLines(refusal);
  for (const { kind, diff: differences } of diff?.parts ?? []) {
    yield* ['', HEADINGS[kind]];
    yield* differenceLines(differences);
  }
  if (diff) yield* ['', 'Clocks and timers are not compared.'];
}

function* refusalLines({ state, message, lines, check }: LoadRefusal): Generator<string> {
  yield '';
  yield `The ${state} state was not loaded: ${message}`;
  for (const line of lines) yield `  ${line}`;
  const findings = check?.findings.filter(({ severity }) => severity === 'blocks') ?? [];
  for (const finding of findings) {
    // The offset in the stream hangs on RAM.
    const place = findingPlace({ ...finding, range: undefined });
    yield `  ${place === '' ? '' : `${place}: `}${finding.message}`;
  }
}
