import { expect, test } from 'vitest';
import { MAX_NEAREST_LENGTH, Nearest } from '../../src/bytes/nearest.ts';

function nearest(wanted: string, names: readonly string[]): readonly string[] {
  const found = new Nearest(wanted);
  for (const name of names) found.add(name);
  return found.list();
}

test('the three nearest names are suggested, nearest first, and none that are far', () => {
  const names = ['e1000', 'e1000e', 'rtl8139', 'virtio-net', 'virtio-blk', 'virtio-scsi', 'e1000e'];
  expect(nearest('E1000', names)).toEqual(['e1000', 'e1000e']);
  expect(nearest('virto-nat', names)).toEqual(['virtio-net']);
  expect(nearest('virtio', names)).toHaveLength(3);
  expect(nearest('ahci', names)).toEqual([]);
});

test('a nearer name takes the place of the farthest of three', () => {
  expect(nearest('abcdef', ['abcdxx', 'abcdyy', 'abcdzz', 'abcdex', 'abcdef'])).toEqual([
    'abcdef',
    'abcdex',
    'abcdxx',
  ]);
});

test('names that are too long are not compared', () => {
  expect(nearest('a'.repeat(500), ['a'.repeat(MAX_NEAREST_LENGTH + 1)])).toEqual([]);
});
