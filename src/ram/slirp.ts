import type { Window } from '../bytes/window.ts';
import type { IterativeContext, SectionReader } from './scanner.ts';
import { requireVersion, sectionError } from './section-error.ts';

const VERSION = 4;
const BOOTP_CLIENTS = 16;
const CLIENT_SIZE = 8;
const MAC_SIZE = 6;

/** A DHCP lease that the user-mode network has given. */
export interface BootpClient {
  /** Place in the table, which decides the address (the first one given is `dhcpstart`). */
  readonly index: number;
  /** `52:54:00:12:34:56` */
  readonly mac: string;
}

/** The user-mode network stack, without guest-forwarded connections. */
export interface SlirpSummary {
  readonly kind: 'slirp';
  /** Identification of the next IP packet. */
  readonly ipId: number | undefined;
  readonly bootpClients: readonly BootpClient[];
}

/**
 * Scanner of the section `slirp`, version 4, as libslirp 4 writes it: guest-forwarded connections, each after a byte
 * 42, then a byte 0; u16 IP identification; 16 DHCP clients of u16 allocated and 6 bytes MAC. Connections are not
 * read: DecodeError `unsupported`. Throws also `bad-iterative` and `truncated`.
 */
export function createSlirpScanner(context: IterativeContext): SectionReader<SlirpSummary> {
  let ipId: number | undefined;
  const bootpClients: BootpClient[] = [];

  async function scan(window: Window): Promise<void> {
    requireVersion(context, VERSION, window.offset);
    const start = window.offset;
    const more = await window.readU8('the user-mode network');
    if (more !== 0) {
      const message =
        more === 42
          ? 'guest-forwarded connections of the user-mode network are not read'
          : `the user-mode network begins with 0x${more.toString(16)}; expected 0 or 42`;
      throw sectionError(context, more === 42 ? 'unsupported' : 'bad-iterative', message, start, start + 1);
    }
    ipId = await window.readU16('the user-mode network');
    const table = await window.readBytes(BOOTP_CLIENTS * CLIENT_SIZE, 'the user-mode network');
    for (let index = 0; index < BOOTP_CLIENTS; index++) {
      const client = table.subarray(index * CLIENT_SIZE, (index + 1) * CLIENT_SIZE);
      if (client[0] === 0 && client[1] === 0) continue;
      const mac = [...client.subarray(2, 2 + MAC_SIZE)];
      bootpClients.push({ index, mac: mac.map((byte) => byte.toString(16).padStart(2, '0')).join(':') });
    }
  }

  return { scan, summary: () => ({ kind: 'slirp', ipId, bootpClients: [...bootpClients] }) };
}
