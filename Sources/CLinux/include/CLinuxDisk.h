// What the real disk needs beyond what the Swift importer sees.
#ifndef TIDINGS_CLINUX_DISK_H
#define TIDINGS_CLINUX_DISK_H
#endif
