#include "apps/commands.h"

int main(int argc, char** argv) {
  return ipa::run_command_line(argc, argv,
                               {{"prepare", ipa::declare_prepare},
                                {"masks", ipa::declare_masks},
                                {"corrupt", ipa::declare_corrupt},
                                {"train", ipa::declare_train},
                                {"inpaint", ipa::declare_inpaint},
                                {"export", ipa::declare_export},
                                {"import", ipa::declare_import},
                                {"evaluate", ipa::declare_evaluate},
                                {"score", ipa::declare_score},
                                {"info", ipa::declare_info}});
}
