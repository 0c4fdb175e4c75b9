/*
 * The first and only program of a guest that counts: every 10 ms it prints how far it is and what its clock says
 * ("beat NUMBER NANOSECONDS"), while another process writes to the disk and reads back what it wrote, a third one sends
 * packets, and a fourth one answers "ping NUMBER" by "pong NUMBER SECONDS", which are those of the real-time clock. Modules of the kernel are /modules/0.ko and on, in the order in which they are to be loaded.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/rtc.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum { INTERVAL = 10000000, SECTOR = 4096, SECTORS = 4096 };

static void load_modules(void)
{
    char name[32];
    for (int i = 0;; i++) {
        snprintf(name, sizeof name, "/modules/%d.ko", i);
        int file = open(name, O_RDONLY);
        if (file < 0)
            return;
        if (syscall(SYS_finit_module, file, "", 0) != 0)
            printf("trouble: module %d is not loaded: %m\n", i);
        close(file);
    }
}

static void sleep_milliseconds(long count)
{
    struct timespec pause = { count / 1000, count % 1000 * 1000000 };
    nanosleep(&pause, NULL);
}

static void use_disk(void)
{
    unsigned long *written = aligned_alloc(SECTOR, SECTOR), *read = aligned_alloc(SECTOR, SECTOR);
    int disk = open("/dev/vda", O_RDWR | O_DIRECT);
    if (disk < 0)
        printf("trouble: there is no disk\n");
    for (unsigned long i = 1; disk >= 0; i++) {
        off_t place = (off_t)(i % SECTORS) * SECTOR;
        for (int k = 0; k < SECTOR / (int)sizeof *written; k++)
            written[k] = i * 1000003 + k;
        if (pwrite(disk, written, SECTOR, place) != SECTOR || (i % 16 == 0 && fsync(disk) != 0) ||
            pread(disk, read, SECTOR, place) != SECTOR || memcmp(read, written, SECTOR) != 0)
            printf("trouble: the disk is not what was written\n");
        if (i % 64 == 0)
            printf("disk %lu\n", i);
        sleep_milliseconds(3);
    }
}

static void use_network(void)
{
    int packets = socket(AF_INET, SOCK_DGRAM, 0);
    struct ifreq card = { .ifr_name = "eth0" };
    struct sockaddr_in *own = (struct sockaddr_in *)&card.ifr_addr;
    own->sin_family = AF_INET;
    own->sin_addr.s_addr = inet_addr("10.0.2.15");
    int bad = ioctl(packets, SIOCSIFADDR, &card);
    card.ifr_flags = IFF_UP | IFF_RUNNING;
    bad |= ioctl(packets, SIOCSIFFLAGS, &card);
    if (bad)
        printf("trouble: there is no network\n");
    struct sockaddr_in there = { .sin_family = AF_INET, .sin_port = htons(9) };
    there.sin_addr.s_addr = inet_addr("10.0.2.2");
    for (; !bad; sleep_milliseconds(20))
        sendto(packets, "beat", 4, 0, (struct sockaddr *)&there, sizeof there);
}

/* Of the clock of the board, which the kernel does not look at any more once it runs; -1 where there is none. */
static long real_time(void)
{
    struct rtc_time date;
    int clock = open("/dev/rtc0", O_RDONLY);
    int bad = clock < 0 || ioctl(clock, RTC_RD_TIME, &date) != 0;
    close(clock);
    if (bad)
        return -1;
    struct tm parts = {
        .tm_sec = date.tm_sec, .tm_min = date.tm_min, .tm_hour = date.tm_hour,
        .tm_mday = date.tm_mday, .tm_mon = date.tm_mon, .tm_year = date.tm_year,
    };
    return timegm(&parts);
}

static void answer(void)
{
    char line[64];
    unsigned long number;
    while (fgets(line, sizeof line, stdin) != NULL)
        if (sscanf(line, "ping %lu", &number) == 1)
            printf("pong %lu %ld\n", number, real_time());
}

int main(void)
{
    mount("devtmpfs", "/dev", "devtmpfs", 0, "");
    int console = open("/dev/console", O_RDWR);
    dup2(console, 0);
    dup2(console, 1);
    struct termios terminal;
    if (tcgetattr(console, &terminal) == 0) {
        /* What is asked is not to come back among what is said. */
        terminal.c_lflag &= ~ECHO;
        tcsetattr(console, TCSANOW, &terminal);
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    load_modules();
    for (int i = 0; i < 50 && access("/dev/vda", F_OK) != 0; i++)
        sleep_milliseconds(100);
    if (fork() == 0) {
        use_disk();
        return 0;
    }
    if (fork() == 0) {
        use_network();
        return 0;
    }
    if (fork() == 0) {
        answer();
        return 0;
    }
    /* What the others do is not to delay it. */
    struct sched_param first = { .sched_priority = 50 };
    sched_setscheduler(0, SCHED_FIFO, &first);
    struct timespec next;
    clock_gettime(CLOCK_MONOTONIC, &next);
    for (unsigned long i = 1;; i++) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        printf("beat %lu %lld\n", i, now.tv_sec * 1000000000LL + now.tv_nsec);
        next.tv_nsec += INTERVAL;
        if (next.tv_nsec >= 1000000000) {
            next.tv_nsec -= 1000000000;
            next.tv_sec++;
        }
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
    }
}
