import { expect, test } from 'vitest';
import { memorySource } from '../../src/bytes/source.ts';
import { childNamed, walk } from '../../src/layout/children.ts';
import type { LayoutNode } from '../../src/layout/node.ts';
import { layouts } from '../../src/layout/open.ts';
import { packagedSchemas } from '../../src/node/packaged-schemas.ts';
import { openVm } from '../../src/vm/vm.ts';
import { readFixture } from '../fixtures.ts';

/** VIRTIO_NET_F_CTRL_GUEST_OFFLOADS: 8 bytes of offloads follow the device's state (hw/net/virtio-net.c). */
const CTRL_GUEST_OFFLOADS = 1 << 2;

async function virtioNet(bytes: Uint8Array) {
  const opened = await openVm(memorySource(bytes), { schemas: packagedSchemas });
  for await (const { section, root, diagnostics } of layouts(opened))
    if (section.endsWith('/virtio-net')) return { virtio: childNamed(root, 'virtio')!, diagnostics };
  throw new Error('no virtio-net');
}

function leavesBefore(node: LayoutNode, end: number): string[] {
  const leaves: string[] = [];
  for (const { node: child, path } of walk(node))
    if (child.kind === 'leaf' && child.end <= end)
      leaves.push(`${path.join('/')} ${child.start} ${String(child.value)}`);
  return leaves;
}

test('a virtio whose features claim a part that is not there is shown as far as it can be, with the reason', async () => {
  const bytes = readFixture('qemu-10.0-pc-devices');
  const whole = await virtioNet(bytes);
  expect(whole.diagnostics).toEqual([]);
  const features = childNamed(whole.virtio, 'guest_features_lo')!;
  const changed = bytes.slice();
  changed[features.end - 1]! ^= CTRL_GUEST_OFFLOADS;

  const { virtio, diagnostics } = await virtioNet(changed);
  expect(diagnostics).toMatchObject([
    {
      severity: 'warning',
      code: 'schema-mismatch',
      message: expect.stringMatching(/^virtio cannot be read to its end: ./),
      path: ['virtio', 'virtio-net-device'],
    },
  ]);
  const { start, end } = diagnostics[0]!.range!;
  expect(end).toBe(virtio.end);
  // What lies before the claimed part is read as it was, and is no more than a guess.
  const device = childNamed(whole.virtio, 'virtio-net-device')!;
  expect(start).toBeGreaterThan(childNamed(device, 'nobcast')!.start);
  const before = childNamed(device, 'nobcast')!.end;
  const unchanged = (leaf: string) => !leaf.startsWith('guest_features_lo ');
  expect(leavesBefore(virtio, before).filter(unchanged)).toEqual(
    leavesBefore(whole.virtio, before).filter(unchanged),
  );
  for (const { node } of walk(virtio)) if (node.kind === 'leaf') expect(node.chosen).toBeDefined();
  expect([...walk(virtio)].filter(({ node }) => node.kind === 'gap').length).toBe(1);
  // As bytes it is still what the description calls it.
  expect(virtio).toMatchObject({ type: 'virtio', value: changed.subarray(virtio.start, virtio.end) });
});
