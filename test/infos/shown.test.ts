import { expect, test } from 'vitest';
import { layouts, openStream } from '../../src/layout/open.ts';
import { selectNodes } from '../../src/ops/select.ts';
import { dumpText } from '../../src/render/dump-text.ts';
import { ndjsonLine } from '../../src/render/ndjson.ts';
import { plainStyle } from '../../src/render/style.ts';
import { openFixture } from '../fixtures.ts';
import type { Line } from '../layout/blob-reader.ts';

const options = { style: plainStyle, width: 100, offsets: false, raw: false, full: false };

/** A machine with an e1000e, whose ids and capabilities are those that query-pci and lspci know of it. */
async function e1000e() {
  for await (const layout of layouts(await openStream(openFixture('qemu-10.0-q35-devices')))) {
    if (layout.section.endsWith('/e1000e')) return layout;
  }
  throw new Error('no e1000e in the fixture');
}

test('dump shows what a value means behind it, wrapped like a value', async () => {
  const text = [...dumpText(await e1000e(), options)].map((line) => line.replace(/ +/g, ' ').trim());
  expect(text).toContain('vendor_id le16 32902 (0x8086): Intel');
  expect(text).toContain('command le16 0');
  expect(text).toContain('control le16 4: vectors 5');
  expect(text).toContain('link_capabilities le32 1041 (0x411): 2.5 GT/s, width x1, ASPM L0s, port 0');
  const severity = text.findIndex((line) => line.startsWith('uncorrectable_severity'));
  expect(text.slice(severity, severity + 3).join(' ')).toMatch(
    /: data link protocol, .* malformed TLP, internal/,
  );
});

test('ndjson has it as a member, of leaves that have one', async () => {
  const layout = await e1000e();
  const lines: Line[] = [];
  for (const { node, path } of selectNodes(layout, undefined)) {
    lines.push(JSON.parse([...ndjsonLine(layout, node, path)].join('')));
  }
  const line = (...names: string[]) =>
    lines.find(({ path }) => path.slice(-names.length).join() === names.join());
  expect(line('config[1]', 'vendor_id')).toMatchObject({ type: 'le16', value: 32902, meaning: 'Intel' });
  expect(line('config[1]', 'command')).not.toHaveProperty('meaning');
  expect(line('dsn', 'serial_number')).toMatchObject({
    type: 'le64',
    value: BigInt('0x525400ffff123456').toString(),
    meaning: '52-54-00-ff-ff-12-34-56',
  });
  // The field itself is a struct, and still has all its bytes.
  const config = line('config[1]');
  expect(config).toMatchObject({ kind: 'struct', type: 'pci config', size: 4096 });
  expect(config?.value).toMatch(/^8680d310/);
  expect(config?.value).toHaveLength(8192);
});
