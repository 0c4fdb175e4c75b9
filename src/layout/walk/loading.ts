import { evaluate } from '../../expressions/evaluate.ts';
import type { ObjectPlace } from '../../infos/reader.ts';
import type { CompiledVmsd } from '../../vmsd/compiled.ts';
import { decideExistence } from './existence.ts';
import type { StructFrame } from './frames.ts';
import type { Outcome, Run } from './outcome.ts';
import { dead, type WalkContext } from './walk-context.ts';

/** What QEMU says before it ends, when it loads into a pointer that is NULL (migration/vmstate.c). */
const NULL_POINTER = "Assertion `first_elem || !n_elems || !size' failed.";

/**
 * Subsections that a device sends whenever it has made the timer in them, or, of several alike, whenever it sends it for
 * any: the property that decides it is in no stream (hw/acpi/ich9.c, enable_tco; hw/audio/hda-codec.c, use-timer).
 */
const SENT_WITH_TIMER: ReadonlyMap<string, 'always' | 'if any'> = new Map([
  ['ich9_pm/tco', 'always'],
  ['hda-audio-stream/buffer', 'if any'],
]);

const IS_NOTED = 'subsections are noted';

/** Has a run that is no load begun: it notes which subsections the device sent. */
export function noteSubsections({ shadow }: Run): void {
  shadow.answer(IS_NOTED, 1n);
}

function sentKey({ object, offset }: ObjectPlace, name: string): string {
  return `subsection ${name} of ${object} at ${offset}`;
}

function sentAnywhereKey(name: string): string {
  return `subsection ${name}`;
}

/** Notes that the device sent a subsection. */
export function noteSubsection({ shadow }: Run, place: ObjectPlace, { name }: CompiledVmsd): void {
  shadow.answer(sentKey(place, name), 1n);
  shadow.answer(sentAnywhereKey(name), 1n);
}

/**
 * What a load comes to in a subsection that is only sent when a pointer is not NULL, one that it loads into, where the
 * device did not send it itself; undefined where it is no such one.
 */
export function loadIntoNull(
  run: Run,
  place: ObjectPlace,
  { name, needed, fields }: CompiledVmsd,
): Outcome | undefined {
  const { shadow } = run;
  const test = needed?.expression;
  if (shadow.answered(IS_NOTED) === undefined || !test || shadow.answered(sentKey(place, name)) !== undefined)
    return undefined;
  const refused = { ...dead(run.offset, NULL_POINTER), refusal: 'null-pointer' } as const;
  const sentWithTimer = SENT_WITH_TIMER.get(name);
  if (sentWithTimer) {
    const isSure = sentWithTimer === 'always' || shadow.answered(sentAnywhereKey(name)) !== undefined;
    return isSure ? refused : undefined;
  }
  const isInto = fields.some((field) => {
    if (!field.pointer || field.allocated || field.count.kind !== 'fixed') return false;
    const answer = (pointer: bigint) =>
      evaluate(test, {
        version: 0,
        load: ({ root, path, size }) =>
          root === 'opaque' && path.length === 1 && path[0] === field.offset && size === 8
            ? pointer
            : undefined,
      });
    const [without, having] = [answer(0n), answer(0x5555_5555_5540n)];
    return without.known && without.value === 0n && having.known && having.value !== 0n;
  });
  return isInto ? refused : undefined;
}

/** migration/vmstate.c, vmstate_load_state: what it says when a field that must exist does not. */
export function failedValidation(
  { objects }: WalkContext,
  run: Run,
  { vmsd, versionId, place }: StructFrame,
): Outcome | undefined {
  for (const { name, test } of vmsd.validations) {
    const answer = decideExistence(test, versionId, place, run.shadow, objects);
    if (answer.known && !answer.exists) {
      const why = `Input validation failed: ${vmsd.name}/${name}`;
      return { ...dead(run.offset, why), refusal: 'failed-validation' };
    }
  }
  return undefined;
}

/** migration/vmstate.c, vmstate_subsection_load: what it says of a subsection that its VMSD does not have. */
export function unknownSubsection(
  { name: vmsdName }: CompiledVmsd,
  name: string,
  offset: number,
): Outcome | undefined {
  const isOwn = vmsdName !== '' && name.startsWith(vmsdName) && name.length > vmsdName.length;
  if (!isOwn) return undefined;
  const why = `VM subsection '${name}' in '${vmsdName}' does not exist`;
  return { ...dead(offset, why), refusal: 'unknown-subsection' };
}

/** migration/vmstate.c, vmstate_load_state: what it says of a version that it does not load. */
export function refusedVersion(
  { name, versionId, minimumVersionId, loadsOld }: CompiledVmsd,
  incoming: number,
  offset: number,
): (Outcome & { kind: 'dead' }) | undefined {
  if (incoming > versionId) {
    const why = `${name}: incoming version_id ${incoming} is too new for local version_id ${versionId}`;
    return { ...dead(offset, why), refusal: 'too-new' };
  }
  if (loadsOld || incoming >= minimumVersionId) return undefined;
  const why = `${name}: incoming version_id ${incoming} is too old for local minimum version_id ${minimumVersionId}`;
  return { ...dead(offset, why), refusal: 'too-old' };
}
