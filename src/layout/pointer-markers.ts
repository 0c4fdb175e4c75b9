/** What QEMU writes in place of a NULL element: `'0'` (migration/vmstate-types.c, VMS_NULLPTR_MARKER). */
export const NULL_POINTER_MARKER = 0x30;
/** What QEMU 11 writes before an element that is not NULL, where every element has a marker. */
export const OBJECT_POINTER_MARKER = 0x31;
