import type { VmsdCallback } from '../schema/qemu-schema.ts';

/** Byte offsets in a VMStateField. Undefined: the version has no such member. */
export interface FieldLayout {
  /** Bytes from one field of a list to the next. */
  readonly stride: number;
  /** const char * */
  readonly name: number;
  readonly errHint: number | undefined;
  /** size_t */
  readonly offset: number;
  readonly size: number;
  readonly start: number | undefined;
  /** int */
  readonly num: number;
  /** size_t, or uint32_t where the counter has a width beside it */
  readonly numOffset: number;
  readonly sizeOffset: number;
  /** uint8_t: width of the counter in bytes; undefined where the flags say it */
  readonly numSize: number | undefined;
  readonly sizeSize: number | undefined;
  /** Pointers */
  readonly info: number;
  readonly vmsd: number;
  readonly fieldExists: number;
  /** int */
  readonly flags: number;
  readonly versionId: number;
  readonly structVersionId: number | undefined;
}

/** Byte offsets in a VMStateDescription. */
export interface VmsdLayout {
  readonly size: number;
  /** `unmigratable` is an int, or two bools with `early_setup` behind it. */
  readonly unmigratable: number;
  readonly earlySetup: number | undefined;
  /** int */
  readonly versionId: number;
  readonly minimumVersionId: number;
  readonly priority: number | undefined;
  /** Function pointers. */
  readonly callbacks: ReadonlyMap<VmsdCallback, number>;
  /** Pointers. */
  readonly fields: number;
  readonly subsections: number;
}

/** How the tables of a range of QEMU versions lie in memory, on a 64-bit host. */
export interface TableLayout {
  /** The first version that has it, as text and as numbers. */
  readonly name: string;
  readonly since: readonly [number, number];
  readonly field: FieldLayout;
  readonly vmsd: VmsdLayout;
  /** VMStateInfo has load and save behind get and put. */
  readonly infoHasLoadAndSave: boolean;
}

/** QEMU 2.10 to 10.2. Before 2.12 or so the place of struct_version_id was padding. */
const fieldWithErrHint: FieldLayout = {
  stride: 104,
  name: 0,
  errHint: 8,
  offset: 16,
  size: 24,
  start: 32,
  num: 40,
  numOffset: 48,
  sizeOffset: 56,
  numSize: undefined,
  sizeSize: undefined,
  info: 64,
  flags: 72,
  vmsd: 80,
  versionId: 88,
  structVersionId: 92,
  fieldExists: 96,
};

/** QEMU 11.1: counters with their width, no hint. */
const fieldWithCounterSizes: FieldLayout = {
  stride: 96,
  name: 0,
  errHint: undefined,
  offset: 8,
  size: 16,
  sizeOffset: 24,
  sizeSize: 28,
  numOffset: 32,
  numSize: 36,
  start: 40,
  num: 48,
  info: 56,
  flags: 64,
  vmsd: 72,
  versionId: 80,
  structVersionId: 84,
  fieldExists: 88,
};

/** `first` and the following 8-byte members point to these functions; then come fields and subsections. */
function vmsdLayout(
  priority: number,
  first: number,
  callbacks: readonly VmsdCallback[],
  earlySetup: number | undefined,
): VmsdLayout {
  const fields = first + 8 * callbacks.length;
  return {
    size: fields + 16,
    unmigratable: 8,
    earlySetup,
    versionId: 12,
    minimumVersionId: 16,
    priority,
    callbacks: new Map(callbacks.map((name, i) => [name, first + 8 * i])),
    fields,
    subsections: fields + 8,
  };
}

const loadAndSave = ['preLoad', 'postLoad', 'preSave'] as const;
const withErrp = [
  'preLoad',
  'preLoadErrp',
  'postLoad',
  'postLoadErrp',
  'preSave',
  'preSaveErrp',
  'postSave',
  'needed',
  'devUnplugPending',
] as const;
const withUnplug = [...loadAndSave, 'postSave', 'needed', 'devUnplugPending'] as const;

/** The orders in which VMStateDescription has had its functions, by version. */
export const vmsdCallbackOrders: readonly (readonly VmsdCallback[])[] = [
  withErrp,
  withUnplug,
  ['loadStateOld', ...withUnplug],
  ['loadStateOld', ...loadAndSave, 'needed'],
];

/**
 * The layouts of include/migration/vmstate.h in QEMU's releases, newest first. A binary is read with the one that fits
 * it best, whatever version it says it is: distributions carry patches over.
 */
export const knownTableLayouts: readonly TableLayout[] = (
  [
    [11, 1, fieldWithCounterSizes, vmsdLayout(20, 24, withErrp, 9)],
    [10, 2, fieldWithErrHint, vmsdLayout(20, 24, withErrp, 9)],
    [8, 0, fieldWithErrHint, vmsdLayout(20, 24, withUnplug, 9)],
    [7, 0, fieldWithErrHint, vmsdLayout(20, 24, withUnplug, undefined)],
    [4, 2, fieldWithErrHint, vmsdLayout(24, 32, ['loadStateOld', ...withUnplug], undefined)],
    [
      4,
      0,
      fieldWithErrHint,
      vmsdLayout(24, 32, ['loadStateOld', ...loadAndSave, 'postSave', 'needed'], undefined),
    ],
    [2, 10, fieldWithErrHint, vmsdLayout(24, 32, ['loadStateOld', ...loadAndSave, 'needed'], undefined)],
  ] as const
).map(([major, minor, field, vmsd]) => ({
  name: `${major}.${minor}`,
  since: [major, minor],
  field,
  vmsd,
  infoHasLoadAndSave: field === fieldWithCounterSizes,
}));
