import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';

/** A TCP port of this machine that takes one connection, and is closed behind it. */
export interface OneConnection {
  readonly port: number;
  /** Rejected where there is none before `close`. */
  readonly connection: Promise<Socket>;
  /** Bytes that have come so far. */
  bytesRead(): number;
  /** Takes no connection any more, and ends the one that was taken. */
  close(): void;
}

/** Listens on a port that is free, on the loopback interface only. */
export async function listenOnce(): Promise<OneConnection> {
  const server = createServer();
  let taken: Socket | undefined;
  let giveUp: (() => void) | undefined;
  const connection = new Promise<Socket>((resolve, reject) => {
    giveUp = () => reject(new Error('nobody has connected'));
    server.on('connection', (socket) => {
      if (taken) {
        socket.destroy();
        return;
      }
      taken = socket;
      // Who reads it will be told of an error; nobody may have begun to.
      socket.on('error', () => {});
      server.close();
      resolve(socket);
    });
  });
  connection.catch(() => {});
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    connection,
    bytesRead: () => taken?.bytesRead ?? 0,
    close() {
      server.close();
      taken?.destroy();
      giveUp?.();
    },
  };
}
