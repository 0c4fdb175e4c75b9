/** A value of a base type. */
export type ScalarValue = number | bigint | boolean;

/** Types that have a value of their own. */
export interface ScalarType {
  /** Bytes in the stream. */
  readonly size: number;
  read(view: DataView, pos: number): ScalarValue;
}

const uint8: ScalarType = { size: 1, read: (view, pos) => view.getUint8(pos) };
const uint16: ScalarType = { size: 2, read: (view, pos) => view.getUint16(pos) };
const uint32: ScalarType = { size: 4, read: (view, pos) => view.getUint32(pos) };
const uint64: ScalarType = { size: 8, read: (view, pos) => view.getBigUint64(pos) };
const int8: ScalarType = { size: 1, read: (view, pos) => view.getInt8(pos) };
const int16: ScalarType = { size: 2, read: (view, pos) => view.getInt16(pos) };
const int32: ScalarType = { size: 4, read: (view, pos) => view.getInt32(pos) };
const int64: ScalarType = { size: 8, read: (view, pos) => view.getBigInt64(pos) };
const le16: ScalarType = { size: 2, read: (view, pos) => view.getUint16(pos, true) };
const le32: ScalarType = { size: 4, read: (view, pos) => view.getUint32(pos, true) };
const le64: ScalarType = { size: 8, read: (view, pos) => view.getBigUint64(pos, true) };
const bool: ScalarType = { size: 1, read: (view, pos) => view.getUint8(pos) !== 0 };

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
