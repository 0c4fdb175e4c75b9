import type { IterativeContext } from '../../src/ram/scanner.ts';
import { bytes, context, hex, text8, u8, u16, u32, u64 } from './section-bytes.ts';

const EOS = u64(0x10);
const content = (length: number) => Uint8Array.from({ length }, (_, index) => (index * 37) & 0xff);

const ramBody = bytes(
  bytes(u64(0x3004), text8('a'), u64(0x1000), text8('pc.ram'), u64(0x2000)),
  bytes(u64(0x0008), text8('a'), content(4096)),
  bytes(u64(0x0002), text8('pc.ram'), u8(0)),
  bytes(u64(0x1022), u8(0)),
  bytes(u64(0x1060), u8(1), u16(8), hex('000124ff01026253')),
  bytes(u64(0x0120), u32(20), content(20)),
  u64(0x200),
  EOS,
);

const mappedBody = new Uint8Array(0x3008);
mappedBody.set(
  bytes(u64(0x2004), text8('a'), u64(0x2000), u32(1), u64(0x1000), u64(0x2e), u64(0x1000), u64(2)),
);
mappedBody.set(EOS, 0x3000);

const sink = { needsContent: true, pages: () => {} };
/** Bodies of iterative sections with something of each kind in them, and where they are met. */
export const sectionSpecimens: readonly (readonly [string, IterativeContext, Uint8Array])[] = [
  ['ram', context('ram', 4, { sink }), ramBody],
  ['ram with a known page size', context('ram', 4, { pageSize: 4096, sink }), ramBody],
  ['mapped-ram', context('ram', 4, { capabilities: new Set(['mapped-ram']), sink }), mappedBody],
  [
    'ram with x-ignore-shared',
    context('ram', 4, { capabilities: new Set(['x-ignore-shared']) }),
    bytes(u64(0x200004), text8('a'), u64(0x200000), u64(0x200000), u64(0), EOS),
  ],
  ['spapr/htab', context('spapr/htab', 1), bytes(u32(0), u32(5), u16(2), u16(1), content(32), u64(0))],
  [
    's390-storage_attributes',
    context('s390-storage_attributes', 0),
    bytes(u64(2), u64(9), content(9), u64(8), u64(1)),
  ],
  ['s390-skeys', context('s390-skeys', 1), bytes(u64(2), u64(50), content(50), u64(1))],
  ['todclock', context('todclock', 1), hex('0100e39ffe6b168e0e00')],
  [
    'dirty-bitmap',
    context('dirty-bitmap', 1),
    bytes(
      hex('1c0264300162'),
      u32(512),
      u8(1),
      u8(0x40),
      u64(0),
      u32(1),
      u64(8),
      content(8),
      u8(0x42),
      u64(1),
      u32(1),
      hex('21'),
    ),
  ],
  ['block', context('block', 1), bytes(u64(9), text8('d0'), u64(0xc804), u64(0x200009), text8('d1'), u64(2))],
  ['slirp', context('slirp', 4), bytes(u8(0), u16(7), content(128))],
  [
    'vfio',
    context('a/vfio', 1),
    bytes(
      hex('ffffffffef100004'),
      u64(7),
      content(7),
      hex('ffffffffef100002'),
      content(276),
      hex('ffffffffef100001'),
    ),
  ],
];
