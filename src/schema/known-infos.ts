/** What QEMU writes in place of a NULL element: `'0'` (migration/vmstate-types.c, VMS_NULLPTR_MARKER). */
export const NULL_POINTER_MARKER = 0x30;
/** What QEMU 11 writes before an element that is not NULL, where every element has a marker. */
export const OBJECT_POINTER_MARKER = 0x31;
/** Types of the markers: in QEMU before 11, and from then on. */
export const NULL_POINTER_TYPES: ReadonlySet<string> = new Set(['nullptr', 'ptr-marker']);

/** Infos of lists, whose elements are of one VMSD. */
export const LISTS: ReadonlySet<string> = new Set(['qtailq', 'qlist']);
/** Infos that cannot be read without a VMSD for what is in them. */
export const COLLECTIONS: ReadonlySet<string> = new Set([...LISTS, 'gtree']);
