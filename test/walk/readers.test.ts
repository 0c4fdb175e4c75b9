import { expect, test } from 'vitest';
import type { CompiledField } from '../../src/vmsd/compiled.ts';
import { field, fromHex, vmsd, walkSection } from './walk-field.ts';

/** Behind each field there is a marker, so that a reader cannot just take all that is left. */
function walkInfo(info: string, hex: string, others = [] as ReturnType<typeof vmsd>[]) {
  const marked: CompiledField[] = [field('it', info), field('marker', 'uint32', 8, 4)];
  return walkSection(fromHex(`${hex} 5a5a5a5a`), 'device', vmsd('device', marked), others)?.leaves;
}

const MARKER = { marker: 0x5a5a5a5a };

test('scsi-requests without a request is one zero', () => {
  expect(walkInfo('scsi-requests', '00')).toEqual({ 'it/(more)': 0, ...MARKER });
});

test('scsi-requests: a READ(10) that has to be begun anew has no data', () => {
  const cdb = '28000000 00000000 08000000 00000000';
  expect(
    walkInfo('scsi-requests', `01 ${cdb} 00000007 00000000 0000000000000010 00000008 00001000 00`),
  ).toEqual({
    'it/0/state': 1,
    'it/0/cdb': '16 bytes',
    'it/0/tag': 7,
    'it/0/lun': 0,
    'it/0/sector': 16n,
    'it/0/sector_count': 8,
    'it/0/buflen': 4096,
    'it/(more)': 0,
    ...MARKER,
  });
});

test('scsi-requests: what is no request is not read', () => {
  expect(walkInfo('scsi-requests', '03')).toBeUndefined();
});

test('GByteArray', () => {
  expect(walkInfo('GByteArray', '00000003 010203')).toEqual({
    'it/length': 3,
    'it/data': '3 bytes',
    ...MARKER,
  });
  expect(walkInfo('GByteArray', '7fffffff 010203')).toBeUndefined();
});

test('usb-redir queues', () => {
  expect(walkInfo('usb-redir-packet-id-q', '00000000')).toEqual({ 'it/count': 0, ...MARKER });
  expect(walkInfo('usb-redir-bufpq', '00000001 00000002 00000000 abcd')).toEqual({
    'it/count': 1,
    'it/packets/0/length': 2,
    'it/packets/0/status': 0,
    'it/packets/0/data': '2 bytes',
    ...MARKER,
  });
});

test('shpc is as long as its slots', () => {
  const registers = `${'00'.repeat(12)} 1f ${'00'.repeat(23)}`;
  expect(walkInfo('shpc', `${registers} ${'00000000'.repeat(31)}`)).toEqual({
    'it/config': '160 bytes',
    ...MARKER,
  });
});

test('virtio-gpu: no resource, and the scanouts by their VMSD', () => {
  const scanouts = vmsd('virtio-gpu-scanouts', [field('parent_obj.enable', 'int32', 0, 4)]);
  expect(walkInfo('virtio-gpu', '00000000 00000001', [scanouts])).toEqual({
    'it/(end)': 0,
    'it/scanouts/parent_obj.enable': 1,
    ...MARKER,
  });
});

test('an info that there are two of takes the length that fits', () => {
  expect(walkInfo('psw', '00000001')).toEqual({ it: '4 bytes', ...MARKER });
  expect(walkInfo('psw', '0000000000000001')).toEqual({ it: '8 bytes', ...MARKER });
});
