/* chat_saved.h: the commands about kept chats; `rest` is what follows the command's word. */
#ifndef WICK_APP_CHAT_SAVED_H
#define WICK_APP_CHAT_SAVED_H

#include "chat.h"

void chat_list_command(chat *c, const char *rest);
void chat_load_command(chat *c, const char *rest);
void chat_save_command(chat *c, const char *rest);
void chat_delete_command(chat *c, const char *rest);

#endif
