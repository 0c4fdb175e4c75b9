import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { Qmp, QmpClosed } from '../../src/node/qmp.ts';

test.each(['null', '1', 'HTTP/1.1 200 OK'])('what answers %s is no QEMU', async (line) => {
  const server = createServer((socket) => socket.end(`${line}\n`)).listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  const opened = Qmp.open(connect((server.address() as AddressInfo).port, '127.0.0.1'));
  await expect(opened).rejects.toEqual(new QmpClosed('what connected does not speak QMP'));
});
