/* omnictl: the operator's command. The commands are in commands.c. */
#include "omnictl/command.h"

int main(int argc, char **argv)
{
    return commands_main(argc, argv);
}
