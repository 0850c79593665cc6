/*
 * What the prebuilt conformance runner wants of a C library newer than Debian 12's (glibc 2.38,
 * GCC 13): the same functions under the names they had before. Preloaded into the runner only, and
 * only where it does not start without.
 */
#include <stdlib.h>

long __isoc23_strtol(const char *text, char **end, int base);
unsigned long __isoc23_strtoul(const char *text, char **end, int base);
long long __isoc23_strtoll(const char *text, char **end, int base);
unsigned long long __isoc23_strtoull(const char *text, char **end, int base);
void _ZSt21ios_base_library_initv(void);

long __isoc23_strtol(const char *text, char **end, int base)
{
    return strtol(text, end, base);
}

unsigned long __isoc23_strtoul(const char *text, char **end, int base)
{
    return strtoul(text, end, base);
}

long long __isoc23_strtoll(const char *text, char **end, int base)
{
    return strtoll(text, end, base);
}

unsigned long long __isoc23_strtoull(const char *text, char **end, int base)
{
    return strtoull(text, end, base);
}

/* Older C++ libraries set their streams up in every object that includes <iostream>, by themselves
 * at the latest when the library is loaded. */
void _ZSt21ios_base_library_initv(void)
{
}
