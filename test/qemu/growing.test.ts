import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { GrowingSource } from '../../src/bytes/growing-source.ts';
import { memorySource } from '../../src/bytes/source.ts';
import { openStream } from '../../src/layout/open.ts';
import { findIterativeScanner } from '../../src/ram/iterative.ts';
import { scanStream } from '../../src/stream/scan.ts';
import type { Stream } from '../../src/stream/stream.ts';
import { Machine } from './machine.ts';

function sectionsOf({ sections }: Stream): unknown {
  return sections.map(({ idstr, instanceId, versionId, records }) => [
    idstr,
    instanceId,
    versionId,
    records.map(({ type, range, body }) => [type, range, body]),
  ]);
}

test('a migration is framed while it comes in as the file of it is', async () => {
  const machine = await Machine.start(['-M', 'pc', '-m', '32', '-device', 'e1000e,romfile=', '-S']);
  onTestFinished(() => machine.end());
  const server = createServer().listen(0, '127.0.0.1');
  onTestFinished(() => {
    server.close();
  });
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  await machine.qmp.execute('migrate', { uri: `tcp:127.0.0.1:${address.port}` });
  const [socket] = (await once(server, 'connection')) as [Socket];
  const source = new GrowingSource();
  const chunks: Uint8Array[] = [];
  socket.on('data', (chunk: Uint8Array) => {
    chunks.push(chunk);
    source.append(chunk);
  });
  socket.on('end', () => source.finish());
  const live = await scanStream(source, {
    scannerFor: (found) => findIterativeScanner(found.idstr)?.(found),
  });
  const whole = await openStream(memorySource(Buffer.concat(chunks)));
  expect(live.diagnostics).toEqual([]);
  expect(live.sections.length).toBeGreaterThan(20);
  expect(sectionsOf(live)).toEqual(sectionsOf(whole.stream));
});
