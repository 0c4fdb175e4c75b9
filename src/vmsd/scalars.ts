/** A value of a base type. */
export type ScalarValue = number | bigint | boolean;

/** Types that have a value of their own. */
export interface ScalarType {
  /** Bytes in the stream. */
  readonly size: number;
  /** The values that it can have; of `bool` 0 and 1. */
  readonly minimum: bigint;
  readonly maximum: bigint;
  read(view: DataView, pos: number): ScalarValue;
  /** Writes a value between minimum and maximum. */
  write(view: DataView, pos: number, value: bigint): void;
}

type ReadScalar = ScalarType['read'];

function unsigned(size: number, read: ReadScalar, littleEndian = false): ScalarType {
  return {
    size,
    minimum: 0n,
    maximum: (1n << BigInt(8 * size)) - 1n,
    read,
    write: writer(size, littleEndian),
  };
}

function signed(size: number, read: ReadScalar): ScalarType {
  const half = 1n << BigInt(8 * size - 1);
  return { size, minimum: -half, maximum: half - 1n, read, write: writer(size, false) };
}

function writer(size: number, littleEndian: boolean): ScalarType['write'] {
  return (view, pos, value) => {
    for (let i = 0; i < size; i++) {
      const shift = BigInt(8 * (littleEndian ? i : size - 1 - i));
      view.setUint8(pos + i, Number((value >> shift) & 0xffn));
    }
  };
}

const uint8 = unsigned(1, (view, pos) => view.getUint8(pos));
const uint16 = unsigned(2, (view, pos) => view.getUint16(pos));
const uint32 = unsigned(4, (view, pos) => view.getUint32(pos));
const uint64 = unsigned(8, (view, pos) => view.getBigUint64(pos));
const int8 = signed(1, (view, pos) => view.getInt8(pos));
const int16 = signed(2, (view, pos) => view.getInt16(pos));
const int32 = signed(4, (view, pos) => view.getInt32(pos));
const int64 = signed(8, (view, pos) => view.getBigInt64(pos));
const le16 = unsigned(2, (view, pos) => view.getUint16(pos, true), true);
const le32 = unsigned(4, (view, pos) => view.getUint32(pos, true), true);
const le64 = unsigned(8, (view, pos) => view.getBigUint64(pos, true), true);
const bool: ScalarType = { ...unsigned(1, (view, pos) => view.getUint8(pos) !== 0), maximum: 1n };

export const scalarTypes: ReadonlyMap<string, ScalarType> = new Map(
  Object.entries({
    // The base types of migration/vmstate-types.c, all big endian in the stream.
    bool,
    uint8,
    uint16,
    uint32,
    uint64,
    int8,
    int16,
    int32,
    int64,
    'uint8 equal': uint8,
    'uint16 equal': uint16,
    'uint32 equal': uint32,
    // QEMU's own misnomer: vmstate_info_uint64_equal bears this name, and there is no signed one.
    'int64 equal': uint64,
    'int32 equal': int32,
    // "less or equal": checked against the destination's value on load. Not little endian.
    'int32 le': int32,
    // Expiry in nanoseconds of the timer's clock; -1 when it is not armed (timer_put).
    timer: int64,
    // No VMStateInfos: parts of custom ones that are little endian.
    le16,
    le32,
    le64,
  }),
);
