import type { Socket } from 'node:net';

/** Characters of one message; the longest known, the property list of a machine, has some 10,000. */
const MAX_MESSAGE = 64 << 20;

interface Message {
  readonly QMP?: unknown;
  readonly id?: number;
  readonly return?: unknown;
  readonly error?: { readonly class: string; readonly desc: string };
}

/** What QEMU answered to a command that failed. */
export class QmpError extends Error {}

/** The connection ended. */
export class QmpClosed extends Error {}

/**
 * A connection to QEMU's machine protocol (https://www.qemu.org/docs/master/interop/qmp-spec.html), as little of it as
 * is needed: commands may be under way together, events are not looked at. Integers too large for a number are their
 * decimal text.
 */
export class Qmp {
  readonly #socket: Socket;
  readonly #waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  #greeted: (() => void) | undefined;
  #text = '';
  #lastId = 0;
  #closed: QmpClosed | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding('utf8').setNoDelay(true);
    socket.on('data', (text: string) => this.#receive(text));
    socket.on('error', ({ message }) => this.#close(new QmpClosed(message)));
    socket.on('close', () => this.#close(new QmpClosed('QEMU closed the connection')));
  }

  /** Waits for the greeting of QEMU, and makes it take commands. */
  static async open(socket: Socket): Promise<Qmp> {
    const qmp = new Qmp(socket);
    await new Promise<void>((resolve, reject) => {
      qmp.#greeted = resolve;
      qmp.#waiting.set(0, { resolve() {}, reject });
    });
    qmp.#waiting.delete(0);
    await qmp.execute('qmp_capabilities');
    return qmp;
  }

  /** Runs a command. Throws QmpError where QEMU refuses it, QmpClosed where the connection ended. */
  async execute<Result = unknown>(command: string, args: object = {}): Promise<Result> {
    if (this.#closed) throw this.#closed;
    const id = ++this.#lastId;
    const reply = new Promise<unknown>((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
    this.#socket.write(`${JSON.stringify({ execute: command, arguments: args, id })}\n`);
    return (await reply) as Result;
  }

  /** Runs a command of the monitor for people, and gives what it prints. */
  monitor(line: string): Promise<string> {
    return this.execute<string>('human-monitor-command', { 'command-line': line });
  }

  close(): void {
    this.#socket.destroy();
  }

  #receive(text: string): void {
    const lines = (this.#text + text).split('\n');
    this.#text = lines.pop() ?? '';
    if (this.#text.length > MAX_MESSAGE) this.#socket.destroy(new Error('a QMP message without end'));
    for (const line of lines) {
      const message = parseMessage(line);
      if (!message) {
        this.#socket.destroy(new Error('what connected does not speak QMP'));
        return;
      }
      if (message.QMP) this.#greeted?.();
      const { id = -1, error } = message;
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error) waiting?.reject(new QmpError(error.desc));
      else waiting?.resolve(message.return);
    }
  }

  #close(error: QmpClosed): void {
    this.#closed ??= error;
    for (const { reject } of this.#waiting.values()) reject(this.#closed);
    this.#waiting.clear();
  }
}

function parseMessage(line: string): Message | undefined {
  try {
    const message: unknown = JSON.parse(withExactIntegers(line));
    return typeof message === 'object' && message !== null ? message : undefined;
  } catch {
    return undefined;
  }
}

/** JSON text with the integers in it that a number would round as strings. */
function withExactIntegers(json: string): string {
  return json.replace(/"(?:[^"\\]|\\.)*"|-?\d{16,}(?![\d.eE])/g, (token) =>
    token.startsWith('"') || Number.isSafeInteger(Number(token)) ? token : `"${token}"`,
  );
}
