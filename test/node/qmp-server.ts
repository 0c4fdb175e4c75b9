import { createServer, type Server } from 'node:net';
import { createInterface } from 'node:readline';

/**
 * Listens on a UNIX socket and answers each command of QMP with what `answer` gives, over any number of connections;
 * in a text `$ID` is that of the command.
 */
export async function listenAsQemu(
  path: string,
  answer: (command: string, args: Readonly<Record<string, unknown>>) => object | string,
): Promise<Server> {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.write('{"QMP": {"version": {}, "capabilities": []}}\n');
    createInterface({ input: socket }).on('line', (line) => {
      const { execute, arguments: args = {}, id } = JSON.parse(line);
      const given = execute === 'qmp_capabilities' ? { return: {} } : answer(execute, args);
      const text =
        typeof given === 'string'
          ? given.replaceAll('$ID', JSON.stringify(id))
          : JSON.stringify({ ...given, id });
      socket.write(`{"timestamp": {}, "event": "RTC_CHANGE"}\n${text}\n`);
    });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return server;
}
