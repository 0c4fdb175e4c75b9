import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { FinishedSource } from '../bytes/source.ts';
import { asArray, asInteger, asObject, asText } from '../schema/checked-json.ts';
import type { MigrationAnswers } from './ask-destination.ts';
import { readRanges } from './read-ranges.ts';
import { setPlainMigration, untilMigrated } from './save-state.ts';
import type { PausedQemu } from './start-qemu.ts';

const MAX_PORT = 65535;

/**
 * Has a QEMU that was started to take a state load one, over one plain connection to a port of its own on the loopback
 * interface; the machine stays stopped. Throws MigrationFailed with QEMU's words where it refuses and goes on; most end
 * then, which PausedQemu.use tells.
 */
export async function loadState(
  { qmp, limit }: PausedQemu,
  { capabilities }: Pick<MigrationAnswers, 'capabilities'>,
  source: FinishedSource,
): Promise<void> {
  await setPlainMigration(qmp, capabilities);
  await qmp.execute('migrate-incoming', { uri: 'tcp:127.0.0.1:0' });
  const port = await qmp.execute('query-migrate', {}, readPort);
  const loading = limit.begin('loading the stream');
  let socket: Socket | undefined;
  try {
    socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    const connection = socket;
    // QEMU says why it takes no more, or ends.
    connection.on('error', () => {});
    const sent = pipeline(
      Readable.from(readRanges(source, [{ start: 0, end: source.size }])),
      connection,
    ).catch(() => {});
    await untilMigrated(qmp, loading, () => connection.bytesWritten);
    await sent;
  } finally {
    loading.end();
    socket?.destroy();
  }
}

/** `socket-address` of MigrationInfo (qapi/migration.json): what QEMU listens on. */
function readPort(value: unknown, path: string): number {
  const [address] = asArray(asObject(value, path)['socket-address'], 'socket-address');
  const port = asText(asObject(address, 'socket-address[0]')['port'], 'socket-address[0].port');
  return asInteger(Number(port), 1, MAX_PORT, 'socket-address[0].port');
}
