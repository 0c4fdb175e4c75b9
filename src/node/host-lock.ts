import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** Milliseconds between two tries. */
const AGAIN = 100;

/**
 * Runs a function while no other process of this host is in one of that name. The lock is a name in the kernel's abstract
 * namespace of sockets, which no file is left of, and which is free when its process is gone, however that ends. Throws
 * Error where it is not free within so many milliseconds.
 */
export async function withHostLock<T>(name: string, milliseconds: number, run: () => Promise<T>): Promise<T> {
  const server = createServer((socket) => socket.destroy());
  for (let waited = 0; !(await isOurs(server, `\0${name}`)); waited += AGAIN) {
    if (waited >= milliseconds)
      throw new Error(`${name} is held by another process of this host: one VM is stopped at a time`);
    await sleep(AGAIN);
  }
  try {
    return await run();
  } finally {
    server.close();
  }
}

function isOurs(server: ReturnType<typeof createServer>, path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException) => {
      server.off('listening', onListening);
      if (error.code === 'EADDRINUSE') resolve(false);
      else reject(error);
    };
    const onListening = () => {
      server.off('error', onError);
      resolve(true);
    };
    server.once('error', onError);
    server.once('listening', onListening);
    server.listen(path);
  });
}
