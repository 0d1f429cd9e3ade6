// The subcommands, one file each: options -> settings -> call.
#pragma once

#include "apps/command_line.h"

namespace ipa {

void declare_prepare(Command& command);
void declare_masks(Command& command);
void declare_corrupt(Command& command);
void declare_score(Command& command);
void declare_info(Command& command);
void declare_train(Command& command);
void declare_inpaint(Command& command);
void declare_export(Command& command);
void declare_import(Command& command);
void declare_evaluate(Command& command);
void declare_doctor(Command& command);
void declare_completion(Command& command);
void declare_man(Command& command);

}  // namespace ipa
